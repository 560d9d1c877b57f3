"""Parsing of command-line values; each error names the expected form."""

import re
from collections.abc import Iterable, Sequence

import orjson

from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.cli.errors import usage_error
from gitlab_jobs_async.models.statuses import JobStatus

_SIZE = re.compile(r"([0-9]{1,18}) ?([A-Za-z]*)")
_UNITS = {"": 1, "B": 1}
_UNITS |= {"kB": 1000, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "TB": 1000**4}
_UNITS |= {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}
_STATUSES = tuple(str(status) for status in JobStatus)


def project_id(text: str) -> ProjectId:
    """Return an id for digits, else a path; raise for a leading dash."""
    # Mostly a mistyped option, which GitLab would answer with a 404.
    if text.startswith("-"):
        raise usage_error(f"project {text!r}: expected an id or a path without a leading dash")
    # Slashes, as shells complete folders, and .git name no other project.
    return int(text) if text.isascii() and text.isdigit() else _path(text) or text


def _path(text: str) -> str:
    return text.strip("/").removesuffix(".git")


def parse_scopes(scopes: Iterable[str]) -> list[str]:
    """Return the statuses of *scopes*, each of which may hold several with commas."""
    found = [part.strip() for scope in scopes for part in scope.split(",")]
    for status in found:
        check_status("--scope", status)
    return found


def check_status(option: str, status: str) -> None:
    """Raise for an unknown status."""
    if status not in _STATUSES:
        raise usage_error(f"unknown {option} {status!r}: expected one of {', '.join(_STATUSES)}")


def parse_pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Return `K=V` texts as a mapping; a value may hold further equals signs."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise usage_error(f"{option}: expected K=V")
        if _is_broken(text):
            raise usage_error(f"{option} {name!r}: expected UTF-8")
        if name in found:
            raise usage_error(f"{option} {name!r}: expected only once")
        found[name] = value
    return found


def _is_broken(text: str) -> bool:
    # Python decodes invalid bytes of an argument to lone surrogates.
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def parse_typed_pairs(option: str, texts: Sequence[str]) -> dict[str, object]:
    """Return `K=V` texts as a mapping, with JSON numbers, booleans, lists and strings decoded."""
    return {name: _typed(value) for name, value in parse_pairs(option, texts).items()}


def _typed(text: str) -> object:
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    # GitLab's inputs are of these types; anything else remains text.
    return value if isinstance(value, str | int | float | bool | list) else text


def parse_size(option: str, text: str) -> int:
    """Return the bytes of a size: `500`, `500MB`, `2GiB`."""
    match = _SIZE.fullmatch(text)
    size = int(match[1]) * _UNITS.get(match[2], 0) if match else 0
    if size < 1:
        raise usage_error(
            f"{option} {text!r}: expected bytes from 1, or a size such as 500MB, 2GiB"
        )
    return size
