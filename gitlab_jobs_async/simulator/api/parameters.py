"""Parameters as Rack and Grape understand them: nested keys, bodies, checks and their texts."""

import re
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final
from urllib.parse import parse_qsl, quote_plus

import orjson

from gitlab_jobs_async.simulator.api.answers import bad_string, error

Parameters = dict[str, object]
_PART: Final = re.compile(r"\[([^\[\]]*)\]")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+")
_UNDERSCORED: Final = re.compile(r"(?<=[0-9])_(?=[0-9])")
_DIGITS: Final = 19
_TOO_LARGE: Final = 10**_DIGITS
_DEEPEST: Final = 32
_TRUE: Final = {True, "1", "true", "t", "yes", "on"}
_FALSE: Final = {False, "0", "false", "f", "no", "off", ""}


def nested(pairs: Iterable[tuple[str, str]]) -> Parameters:
    """Nest pairs of a query or form as Rack does: `a[]=`, `a[k]=`, `a[][k]=`, `a[0][k]=`.

    Names of two types or nested too deeply raise a 400.
    """
    found: Parameters = {}
    for key, value in pairs:
        name = key.split("[", 1)[0] if not key.startswith("[") else key
        parts = _PART.findall(key[len(name) :])
        # Rack limits the depth, so that a query cannot exhaust the stack.
        if len(parts) >= _DEEPEST:
            raise bad_string()
        _put(found, name, parts, value)
    return found


def _put(target: Parameters, name: str, parts: list[str], value: object) -> None:
    if not parts:
        target[name] = value
    elif parts[0] == "":
        existing = target.setdefault(name, [])
        if not isinstance(existing, list):
            raise bad_string()
        _put_in_list(existing, parts[1:], value)
    else:
        child = target.setdefault(name, {})
        if not isinstance(child, dict):
            raise bad_string()
        _put(child, parts[0], parts[1:], value)


def _put_in_list(target: list[object], parts: list[str], value: object) -> None:
    if not parts:
        target.append(value)
        return
    last = target[-1] if target else None
    # Rack starts a new element when a key repeats.
    if not isinstance(last, dict) or parts[0] in last:
        last = {}
        target.append(last)
    _put(last, parts[0], parts[1:], value)


def parsed_body(content_type: str, body: bytes) -> Parameters:
    """Return the parameters of a body; raise Grape's 400 for invalid JSON."""
    if not body:
        return {}
    if content_type.startswith("application/json"):
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise error(400, "Problem while parsing request body") from None
        # Grape ignores a JSON body that is not an object.
        return value if isinstance(value, dict) else {}
    if content_type.startswith("application/x-www-form-urlencoded"):
        return nested(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    raise error(415, f"The provided content-type '{content_type}' is not supported.")


def to_query(params: Mapping[str, object]) -> str:
    """Return parameters as Hash#to_query of Rails writes them: sorted keys, lists as `key[]`."""
    return "&".join(sorted(_query_of(params)))


def _query_of(params: Mapping[str, object], prefix: str = "") -> list[str]:
    written: list[str] = []
    for key, value in params.items():
        name = f"{prefix}[{key}]" if prefix else key
        if isinstance(value, dict):
            written += _query_of(value, name)
        elif isinstance(value, list):
            # Rails writes an empty list as `key[]=`.
            items = [_query_of({name + "[]": item}) for item in value or [""]]
            written.append("&".join(chain.from_iterable(items)))
        else:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            written.append(f"{quote_plus(name)}={quote_plus(text)}")
    return written


def number(text: str) -> int | None:
    """Read an integer in ASCII digits, capped above any database id."""
    if not _NUMBER.fullmatch(text):
        return None
    if len(text.lstrip("+-0")) > _DIGITS:
        return -_TOO_LARGE if text.startswith("-") else _TOO_LARGE
    return int(text.lstrip("+-0") or "0") * (-1 if text.startswith("-") else 1)


def integer(params: Parameters, name: str) -> int | None:
    """Return an Integer parameter as Ruby's `Integer()` reads it: " 1_000 " is 1000."""
    value = params.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise error(400, f"{name} is invalid")
    found = value if isinstance(value, int) else number(_UNDERSCORED.sub("", value.strip()))
    if found is None:
        raise error(400, f"{name} is invalid")
    return found


def boolean(params: Parameters, name: str, *, default: bool = False) -> bool:
    """Return a Boolean parameter."""
    value = params.get(name)
    if value is None:
        return default
    text = value.lower() if isinstance(value, str) else value
    if isinstance(text, (str, int)):
        if text in _TRUE:
            return True
        if text in _FALSE:
            return False
    raise error(400, f"{name} is invalid")


def text(params: Parameters, name: str) -> str | None:
    """Return a String parameter."""
    value = params.get(name)
    return None if value is None else _string(value, name)


def choice(params: Parameters, name: str, allowed: Iterable[str]) -> str | None:
    """Return a parameter with a list of values."""
    value = text(params, name)
    if value is not None and value not in set(allowed):
        raise error(400, f"{name} does not have a valid value")
    return value


def scope(params: Parameters, statuses: Iterable[str]) -> frozenset[str] | None:
    """Return the statuses of `scope`, coerced as lib/api/ci/jobs.rb does; None for all of them.

    Raise a 400 for a status that the server does not know.
    """
    value = params.get("scope")
    if value is None:
        return None
    if isinstance(value, str):
        value = [value]
    elif isinstance(value, dict):
        value = list(value.values())
    # GitLab coerces other types to an unknown status.
    elif not isinstance(value, list):
        value = ["unknown"]
    known = tuple(statuses)
    if any(item not in known for item in value):
        raise error(400, "scope does not have a valid value")
    params["scope"] = value
    # An empty list does not filter.
    return frozenset(str(item) for item in value) or None


def mapping(params: Parameters, name: str) -> dict[str, object] | None:
    """Return a Hash parameter."""
    value = params.get(name)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise error(400, f"{name} is invalid")
    return value


def variables(params: Parameters) -> dict[str, str]:
    """Return `job_variables_attributes`: items with a key and a value each."""
    value = params.get("job_variables_attributes") or []
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        raise error(400, "job_variables_attributes is invalid")
    missing = [
        f"job_variables_attributes[{index}][{key}] is missing"
        for index, item in enumerate(value)
        for key in ("key", "value")
        if not isinstance(item, dict) or key not in item
    ]
    if missing:
        raise error(400, ", ".join(missing))
    return {
        _string(item["key"], f"job_variables_attributes[{index}][key]"): _string(
            item["value"], f"job_variables_attributes[{index}][value]"
        )
        for index, item in enumerate(value)
    }


def pipeline_variables(params: Parameters) -> dict[str, str]:
    """Return `variables` of a new pipeline; the type of each must be known."""
    value = params.get("variables") or []
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise error(400, "variables is invalid")
    for index, item in enumerate(value):
        if item.get("variable_type", "env_var") not in {"env_var", "file"}:
            raise error(400, f"variables[{index}][variable_type] does not have a valid value")
    return {
        _string(item["key"], f"variables[{index}][key]"): _string(
            item.get("value", ""), f"variables[{index}][value]"
        )
        for index, item in enumerate(value)
        if "key" in item
    }


def _string(value: object, name: str) -> str:
    """Coerce a scalar to a String as Grape does."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise error(400, f"{name} is invalid")
    return str(value)
