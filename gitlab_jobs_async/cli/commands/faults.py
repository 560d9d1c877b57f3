"""One `--fault` of the command `simulate`: words that say what happens, and to which requests."""

import shlex
from collections.abc import Callable, Mapping
from typing import Any, Final

from gitlab_jobs_async.cli.errors import bad_input
from gitlab_jobs_async.simulator import Fault

Words = dict[str, Any]
"""Arguments of `Fault`, by name."""

GRAMMAR: Final = """Trouble for some requests, in words: what happens, and to which.

What: status=503 with json=, text= or html= and its body, and with retry-after=30, date:30 or none;
or an answer that has a name: bad-gateway, sign-in-page, throttled, too-many-requests (the two 429
take retry-after= too). latency=2 jitter=0.5 (seconds). reset=before, unanswered, within, truncated
or after; cut-at=100 (bytes). drip=1000 (bytes a second). new-jobs=3, in every project.

Which: method=GET path=*/jobs skip=2 every=10 times=5 probability=0.1; else every one.

As in --fault "status=502 path=*/jobs every=10" --fault "throttled probability=0.05
retry-after=date:30". A value with spaces needs quotes of its own. May be given again.
"""


def fault_of(rule: str, insert: Callable[[int], object]) -> Fault:
    """Return the fault that *rule* says; *insert* makes so many new jobs.

    Raises:
        CommandError: the rule cannot be read, or says not what happens.
    """
    try:
        fault = Fault(**_given(rule, insert))
    except ValueError as error:
        raise bad_input(f"--fault {rule!r}: {error.args[0]}") from None
    if fault.only_delays and not (fault.latency or fault.jitter or fault.effect):
        raise bad_input(f"--fault {rule!r}: says not what happens, such as status=503 or latency=2")
    return fault


def _given(rule: str, insert: Callable[[int], object]) -> Words:
    pairs = [word.partition("=") for word in shlex.split(rule)]
    given: Words = {"times": None}
    for name, is_pair, _ in pairs:
        given |= {} if is_pair else _named(name)
    for name, is_pair, value in pairs:
        given |= _said(name, value, insert) if is_pair else {}
    if "status" not in given and given.keys() & {"body", "headers"}:
        raise ValueError("a body or a retry-after is that of an answer, such as status=503")
    return given


_NAMED: Final[Mapping[str, Callable[[], Fault]]] = {
    "bad-gateway": Fault.bad_gateway,
    "sign-in-page": Fault.sign_in_page,
    "throttled": Fault.throttled,
    "too-many-requests": Fault.too_many_requests,
}


def _named(name: str) -> Words:
    if name not in _NAMED:
        raise ValueError(f"{name!r} is no trouble; there are {', '.join(_NAMED)} and words with =")
    fault = _NAMED[name]()
    return {
        "status": fault.status,
        "body": fault.body,
        "content_type": fault.content_type,
        "headers": fault.headers,
    }


def _said(name: str, value: str, insert: Callable[[int], object]) -> Words:
    if name in _PLAIN:
        return {name.replace("-", "_"): _PLAIN[name](name, value)}
    if name in _BODIES:
        return {"body": value, "content_type": _BODIES[name]}
    if name == "retry-after":
        return _retry_after(value)
    if name == "new-jobs":
        count = _whole(name, value)
        return {"effect": lambda: insert(count)}
    known = [*_PLAIN, *_BODIES, "retry-after", "new-jobs"]
    raise ValueError(f"{name!r} is no word of a fault; there are {', '.join(known)}")


def _text(_name: str, value: str) -> str:
    return value


def _verb(_name: str, value: str) -> str:
    return value.upper()


def _whole(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit()):
        raise ValueError(f"{name} must be a whole number, not {value!r}")
    return int(value)


def _number(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not 0 <= number < float("inf"):
        raise ValueError(f"{name} must be a number from 0 on, not {value!r}")
    return number


def _retry_after(value: str) -> Words:
    kind, is_date, seconds = value.rpartition("date:")
    if is_date and not kind:
        return {"headers": {}, "retry_date": _number("retry-after=date:", seconds)}
    if value == "none":
        return {"headers": {}}
    return {"headers": {"Retry-After": str(_whole("retry-after", value))}}


_BODIES: Final = {"json": "application/json", "text": "text/plain", "html": "text/html"}
_PLAIN: Final[Mapping[str, Callable[[str, str], object]]] = {
    "status": _whole,
    "latency": _number,
    "jitter": _number,
    "reset": _text,
    "cut-at": _whole,
    "drip": _whole,
    "method": _verb,
    "path": _text,
    "skip": _whole,
    "every": _whole,
    "times": _whole,
    "probability": _number,
}
