"""Validate the arguments of a call and write them as GitLab reads them.

Every error names the value and the expected ones; it is raised before any request.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Literal, get_args
from urllib.parse import quote

from gitlab_jobs_async.models.statuses import JobStatus

ProjectId = int | str
GroupId = int | str
Scope = str | Iterable[str]
Inputs = Mapping[str, object]
WaitUntil = Literal["finished", "blocked"]

_SHA = re.compile(r"[0-9a-fA-F]{7,64}")
_KNOWN_STATUSES = ", ".join(JobStatus)


def positive_id(name: str, value: int) -> int:
    """Return *value* if it can be an id: a whole number above 0, not a bool."""
    return _integer(name, value, 1, "a whole number above 0")


def integer(name: str, value: int) -> int:
    """Return *value* if it is a whole number from 0."""
    return _integer(name, value, 0, "a whole number from 0")


def _integer(name: str, value: int, least: int, allowed: str) -> int:
    # True is an int in Python, but never an id or a count.
    if isinstance(value, bool) or not isinstance(value, int):
        hint = ": pass its id" if hasattr(value, "id") else ""
        raise TypeError(f"{name} must be {allowed}, not {value!r}{hint}")
    if value < least:
        raise ValueError(f"{name} must be {allowed}, not {value}")
    return value


def seconds(name: str, value: object) -> float:
    """Return *value* if it is a number of seconds above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number of seconds above 0, not {value!r}")
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} must be a number of seconds above 0, not {value}")
    return float(value)


# RFC 9110, 10.1.5: products, and comments without nesting.
_WORD = r"[\w!#$%&'*+.^`|~-]+"
_PRODUCT = rf"{_WORD}(?:/{_WORD})?"
_COMMENT = r"\([\x20-\x27\x2a-\x5b\x5d-\x7e]*\)"
_LONGEST_PRODUCTS = 256
_PRODUCTS = re.compile(rf"{_PRODUCT}(?: (?:{_PRODUCT}|{_COMMENT}))*", re.ASCII)


def products(name: str, value: object) -> str:
    """Return *value* if it can begin a `User-Agent`, such as "my-bot/1.2 (team@example.com)"."""
    expected = "products such as 'my-bot/1.2' or 'my-bot/1.2 (team@example.com)'"
    if not isinstance(value, str):
        raise TypeError(f"{name} must be {expected}, not {value!r}")
    if len(value) > _LONGEST_PRODUCTS:
        raise ValueError(f"{name} must have at most {_LONGEST_PRODUCTS} characters")
    if not _PRODUCTS.fullmatch(value):
        raise ValueError(f"{name} must be {expected}, not {value!r}")
    return value


def project_path(project: ProjectId) -> str:
    """Return `/projects/:id` for a numeric id or a full path, which is quoted."""
    return f"/projects/{_id_or_path('project', project, 'group/app')}"


def group_path(group: GroupId) -> str:
    """Return `/groups/:id` for a numeric id or a full path, which is quoted."""
    return f"/groups/{_id_or_path('group', group, 'group/subgroup')}"


def _id_or_path(kind: str, value: int | str, example: str) -> str:
    if not isinstance(value, str):
        return str(positive_id(kind, value))
    name = value.strip("/")
    # A percent sign means that the path is quoted already: it would be quoted twice.
    has_invalid_character = not value.isprintable() or any(c.isspace() or c in "%\\" for c in value)
    if has_invalid_character or any(part in {"", ".", ".."} for part in name.split("/")):
        raise ValueError(
            f"invalid {kind} {value!r}: expected a numeric id or a full path such as {example!r}"
        )
    return quote(name, safe="")


def job_path(project: ProjectId, job_id: int) -> str:
    """Return `/projects/:id/jobs/:job_id`."""
    return f"{project_path(project)}/jobs/{positive_id('job_id', job_id)}"


def pipeline_path(project: ProjectId, pipeline_id: int) -> str:
    """Return `/projects/:id/pipelines/:pipeline_id`."""
    return f"{project_path(project)}/pipelines/{positive_id('pipeline_id', pipeline_id)}"


def commit_sha(sha: str) -> str:
    """Return *sha* if it is one, whole or abbreviated to at least seven digits."""
    if not isinstance(sha, str):
        raise TypeError(f"sha must be a string, not {sha!r}")
    if not _SHA.fullmatch(sha):
        raise ValueError(f"invalid sha {sha!r}: expected 7 to 64 hexadecimal digits")
    return sha.lower()


def scope_params(scope: Scope) -> list[tuple[str, str]]:
    """Return `scope[]=…` for one status or several."""
    given: object = scope
    if not isinstance(given, Iterable):
        raise TypeError(f"invalid scope {given!r}: expected one or several of {_KNOWN_STATUSES}")
    statuses = (scope,) if isinstance(scope, str) else tuple(scope)
    checked = [known_status("scope", status) for status in statuses]
    return [("scope[]", status) for status in dict.fromkeys(checked)]


def known_status(name: str, status: object) -> str:
    """Return *status* if it is listed, or a `JobStatus`, which a newer server may know."""
    if not isinstance(status, str):
        raise TypeError(f"invalid {name} {status!r}: expected one of {_KNOWN_STATUSES}")
    if not isinstance(status, JobStatus) and status not in JobStatus.__members__.values():
        raise ValueError(
            f"unknown {name} {status!r}: expected one of {_KNOWN_STATUSES} "
            f"(for a newer one pass JobStatus({status!r}))"
        )
    return str(status)


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    """Return *value* if it is one of *allowed*."""
    if value not in allowed:
        raise ValueError(f"unknown {name} {value!r}: expected one of {', '.join(allowed)}")
    return value


def wait_until(until: str) -> str:
    """Return *until* if a pipeline can be waited for so."""
    return one_of("until", until, get_args(WaitUntil))


def not_empty(name: str, value: object) -> str:
    """Return *value* if it is printable text that is not empty."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {value!r}")
    if not value or not value.isprintable():
        raise ValueError(f"invalid {name} {value!r}: expected printable text that is not empty")
    return value


def flag(name: str, value: object) -> str:
    """Return *value* as GitLab writes booleans."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return "true" if value else "false"


def moment(name: str, value: object) -> str:
    """Return *value* in UTC, as GitLab writes times."""
    # A naive datetime is ambiguous: the server may be in another zone.
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError(f"{name} must be a datetime with a time zone, not {value!r}")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def job_variables(variables: Mapping[str, str]) -> list[dict[str, str]]:
    """Return `job_variables_attributes`: a list of key and value for a mapping."""
    if not isinstance(variables, Mapping):
        raise TypeError(f"variables must be a mapping of names to strings, not {variables!r}")
    for name, value in variables.items():
        not_empty("variable name", name)
        if not _is_text(value):
            raise TypeError(f"invalid value {value!r} of variable {name!r}: expected a string")
    return [{"key": name, "value": value} for name, value in variables.items()]


def job_inputs(inputs: Inputs) -> dict[str, object]:
    """Return the inputs of a job: names to strings, numbers, booleans or lists of them."""
    if not isinstance(inputs, Mapping):
        raise TypeError(f"inputs must be a mapping of names to values, not {inputs!r}")
    for name, value in inputs.items():
        not_empty("input name", name)
        items = value if isinstance(value, list | tuple) else [value]
        if not all(_is_plain(item) for item in items):
            raise TypeError(
                f"invalid value {value!r} of input {name!r}: expected strings, finite numbers of "
                "64 bits, booleans or lists of them"
            )
    return dict(inputs)


def _is_plain(item: object) -> bool:
    if isinstance(item, float):
        return isfinite(item)
    # orjson writes integers of 64 bits only.
    if isinstance(item, int):
        return -(2**63) <= item < 2**63
    return _is_text(item)


def _is_text(value: object) -> bool:
    # Lone surrogates cannot be encoded as UTF-8.
    return isinstance(value, str) and not any("\ud800" <= c <= "\udfff" for c in value)


def artifact_path(path: str) -> str:
    """Return the *path* of a file in an archive, quoted except for its slashes."""
    parts = not_empty("path", path).split("/")
    # A proxy would resolve ".." to another endpoint.
    if any(part in {"", ".", ".."} for part in parts):
        raise ValueError(
            f"invalid path {path!r}: expected a relative path in the archive such as "
            "'coverage/index.html'"
        )
    return "/".join(quote(part, safe="") for part in parts)


def ref_segment(ref: str) -> str:
    """Return *ref* as one quoted segment of a path."""
    # git-check-ref-format(1) forbids the same; a proxy would resolve "..".
    if any(part in {"", ".", ".."} for part in not_empty("ref", ref).split("/")):
        raise ValueError(
            f"invalid ref {ref!r}: expected a branch, a tag or a full ref such as "
            "'refs/merge-requests/7/head'"
        )
    return quote(ref, safe="")
