"""Parser of `simulate --fault`: words that name an effect and the requests that it strikes."""

import shlex
from collections.abc import Callable, Mapping
from typing import Any, Final

from gitlab_jobs_async.cli.errors import usage_error
from gitlab_jobs_async.simulator import Fault

Words = dict[str, Any]
"""Arguments of `Fault`, by name."""

FAULT_HELP: Final = """A fault, and the requests that it strikes. Repeatable.

Effect: status=503 with a body json=, text= or html= and with retry-after=30, date:30 or none; or
a named response: bad-gateway, sign-in-page, throttled, too-many-requests (the last two accept
retry-after=). latency=2 jitter=0.5 (seconds). reset=before, unanswered, within, truncated or
after; cut-at=100 (bytes). drip=1000 (bytes per second). new-jobs=3, in every project.
behind=60: GraphQL answers with the state 60 seconds ago.

Requests: method=GET path=*/jobs skip=2 every=10 times=5 probability=0.1; default: all.

Examples: --fault "status=502 path=*/jobs every=10" --fault "throttled probability=0.05
retry-after=date:30". Quote a value with spaces.
"""


def fault_of(rule: str, insert: Callable[[int], object]) -> Fault:
    """Parse a fault; *insert* adds a number of new jobs to every project.

    Raises:
        CommandError: the rule is invalid or names no effect.
    """
    try:
        fault = Fault(**_given(rule, insert))
    except ValueError as error:
        raise usage_error(f"--fault {rule!r}: {error.args[0]}") from None
    if fault.only_delays and not (fault.latency or fault.jitter or fault.effect):
        raise usage_error(f"--fault {rule!r}: expected an effect such as status=503 or latency=2")
    return fault


def _given(rule: str, insert: Callable[[int], object]) -> Words:
    pairs = [word.partition("=") for word in shlex.split(rule)]
    # Without times=, a rule strikes always, where a `Fault` strikes once.
    given: Words = {"times": None}
    for name, is_pair, _ in pairs:
        given |= {} if is_pair else _named(name)
    for name, is_pair, value in pairs:
        given |= _parsed(name, value, insert) if is_pair else {}
    if "status" not in given and given.keys() & {"body", "headers"}:
        raise ValueError("body or retry-after without a response: expected one such as status=503")
    return given


_NAMED: Final[Mapping[str, Callable[[], Fault]]] = {
    "bad-gateway": Fault.bad_gateway,
    "sign-in-page": Fault.sign_in_page,
    "throttled": Fault.throttled,
    "too-many-requests": Fault.too_many_requests,
}


def _named(name: str) -> Words:
    if name not in _NAMED:
        raise ValueError(
            f"unknown fault {name!r}: expected one of {', '.join(_NAMED)} or key=value"
        )
    fault = _NAMED[name]()
    return {
        "status": fault.status,
        "body": fault.body,
        "content_type": fault.content_type,
        "headers": fault.headers,
    }


def _parsed(name: str, value: str, insert: Callable[[int], object]) -> Words:
    if name in _CONVERTERS:
        return {name.replace("-", "_"): _CONVERTERS[name](name, value)}
    if name in _BODIES:
        return {"body": value, "content_type": _BODIES[name]}
    if name == "retry-after":
        return _retry_after(value)
    if name == "new-jobs":
        count = _integer(name, value)
        return {"effect": lambda: insert(count)}
    known = [*_CONVERTERS, *_BODIES, "retry-after", "new-jobs"]
    raise ValueError(f"unknown key {name!r}: expected one of {', '.join(known)}")


def _text(_name: str, value: str) -> str:
    return value


def _verb(_name: str, value: str) -> str:
    return value.upper()


def _integer(name: str, value: str) -> int:
    # int() also accepts signs, spaces and underscores.
    if not (value.isascii() and value.isdigit()):
        raise ValueError(f"{name} {value!r}: expected an integer from 0")
    return int(value)


def _number(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not 0 <= number < float("inf"):
        raise ValueError(f"{name} {value!r}: expected a number from 0")
    return number


def _retry_after(value: str) -> Words:
    kind, is_date, seconds = value.rpartition("date:")
    if is_date and not kind:
        return {"headers": {}, "retry_date": _number("retry-after date:", seconds)}
    if value == "none":
        return {"headers": {}}
    return {"headers": {"Retry-After": str(_integer("retry-after", value))}}


_BODIES: Final = {"json": "application/json", "text": "text/plain", "html": "text/html"}
_CONVERTERS: Final[Mapping[str, Callable[[str, str], object]]] = {
    "status": _integer,
    "latency": _number,
    "jitter": _number,
    "reset": _text,
    "cut-at": _integer,
    "drip": _integer,
    "behind": _number,
    "method": _verb,
    "path": _text,
    "skip": _integer,
    "every": _integer,
    "times": _integer,
    "probability": _number,
}
