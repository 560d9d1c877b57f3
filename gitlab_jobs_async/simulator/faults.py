"""Scripted faults: pure decisions per request; `server.py` carries them out."""

import random
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import partial
from typing import Final

from attrs import define, field, frozen
from attrs.validators import ge, in_, le, optional

from gitlab_jobs_async.simulator.edits import with_reversed_nodes, without_projects
from gitlab_jobs_async.simulator.history import KEPT

SIGN_IN_PAGE: Final = (
    b"<!DOCTYPE html>\n<html><head><title>Sign in \xc2\xb7 GitLab</title></head>"
    b"<body>You need to sign in or sign up before continuing.</body></html>\n"
)
BAD_GATEWAY_PAGE: Final = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n"
    b"<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
)
_GRAPHQL: Final = "/api/graphql"
RESETS: Final = ("before", "unanswered", "within", "truncated", "after")


def _as_bytes(body: bytes | str) -> bytes:
    return body.encode() if isinstance(body, str) else body


@frozen(kw_only=True)
class Fault:
    """A fault and the requests that it strikes.

    Attributes:
        method: only this method, None for any.
        path: glob over the raw path, which begins with `/api/v4`; for example `*/trace`.
        skip: number of matching requests to let pass first.
        times: number of requests to strike after that, None for all.
        every: strike only every nth of the matching requests.
        probability: share of those that are struck at random, by the seed of `Faults`.
        status: status of a response sent in place of the API's.
        body: body of that response.
        content_type: its content type.
        headers: its other headers.
        retry_date: seconds from that response to the HTTP date in its `Retry-After`.
        latency: seconds of the simulator's clock before the request is handled.
        jitter: maximum of random seconds added to the latency.
        reset: lose the connection: "before" the request is handled; "unanswered", after it was
            handled and before a byte is sent; "within" the body, by a reset; "truncated", within
            the body by an orderly close; "after" the body.
        cut_at: number of body bytes sent before the break, None for half of them.
        behind: seconds by which the answer of GraphQL lags behind, at most 900: it states what was
            true then, as read from a replica of the database.
        edit: called with the body of a 200 of the API; its result is sent in place of the body.
        drip: bytes sent per second of the simulator's clock.
        effect: called when the fault strikes, for instance to insert a job; the struck request
            sees the change.
    """

    method: str | None = None
    path: str = "*"
    skip: int = field(default=0, validator=ge(0))
    times: int | None = field(default=1)
    every: int = field(default=1, validator=ge(1))
    probability: float = field(default=1.0, validator=[ge(0.0), le(1.0)])
    status: int | None = field(default=None, validator=optional(in_(range(200, 600))))
    body: bytes = field(default=b"", converter=_as_bytes)
    content_type: str = "text/html"
    headers: Mapping[str, str] = field(factory=dict[str, str])
    retry_date: float | None = None
    latency: float = field(default=0.0, validator=ge(0))
    jitter: float = field(default=0.0, validator=ge(0))
    reset: str | None = field(default=None, validator=optional(in_(RESETS)))
    cut_at: int | None = field(default=None, validator=optional(ge(0)))
    behind: float = field(default=0.0, validator=[ge(0), le(KEPT)])
    edit: Callable[[bytes], bytes] | None = None
    drip: int | None = field(default=None, validator=optional(ge(1)))
    effect: Callable[[], object] | None = None

    @times.validator
    def _countable(self, _attribute: object, times: int | None) -> None:
        if times is not None and times < 0:
            raise ValueError(f"times {times!r}: expected None or 0 or more")

    @classmethod
    def sign_in_page(cls, *, path: str = "*", times: int | None = 1) -> "Fault":
        """Return a 200 with HTML in place of JSON, as from a proxy or an expired session."""
        return cls(path=path, times=times, status=200, body=SIGN_IN_PAGE)

    @classmethod
    def bad_gateway(cls, *, path: str = "*", times: int | None = 1) -> "Fault":
        """Return the 502 page of nginx."""
        return cls(path=path, times=times, status=502, body=BAD_GATEWAY_PAGE)

    @classmethod
    def throttled(
        cls, *, path: str = "*", times: int | None = 1, retry_after: str | int | None = 60
    ) -> "Fault":
        """Return the text 429 of Rack::Attack; `retry_after` may be seconds, an HTTP date or None.

        For a date relative to the clock, pass None and `attrs.evolve(fault, retry_date=30)`.
        """
        return cls(
            path=path,
            times=times,
            status=429,
            body=b"Retry later\n",
            content_type="text/plain",
            headers=_retry_after(retry_after),
        )

    @classmethod
    def too_many_requests(
        cls, *, path: str = "*", times: int | None = 1, retry_after: str | int | None = None
    ) -> "Fault":
        """Return the JSON 429 of the application limiter, by default without any header."""
        return cls(
            path=path,
            times=times,
            status=429,
            body=b'{"message":{"error":"This endpoint has been requested too many times. '
            b'Try again later."}}',
            content_type="application/json",
            headers=_retry_after(retry_after),
        )

    @classmethod
    def without_projects(cls, *, every: int = 2, times: int | None = 1) -> "Fault":
        """Omit every nth project from an answer of GraphQL, as if it could not be read."""
        return cls(path=_GRAPHQL, times=times, edit=partial(without_projects, every=every))

    @classmethod
    def reversed_nodes(cls, *, times: int | None = 1) -> "Fault":
        """Reverse all lists of an answer of GraphQL."""
        return cls(path=_GRAPHQL, times=times, edit=with_reversed_nodes)

    @property
    def only_delays(self) -> bool:
        """Whether the request still gets its usual response."""
        return (
            self.status is None
            and self.reset is None
            and self.drip is None
            and self.edit is None
            and not self.behind
        )


def _retry_after(value: str | int | None) -> dict[str, str]:
    return {} if value is None else {"Retry-After": str(value)}


@frozen
class Decision:
    """The decision on one request: a delay, and at most one fault that does more than delay."""

    delay: float = 0.0
    fault: Fault | None = None


@define
class _Rule:
    fault: Fault
    matched: int = 0
    struck: int = 0


class Faults:
    """Faults in the order in which they were added; their delays add up."""

    def __init__(self, seed: int = 0) -> None:
        self._rules: list[_Rule] = []
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret

    def add(self, *faults: Fault) -> None:
        """Add faults."""
        self._rules += [_Rule(fault) for fault in faults]

    def clear(self) -> None:
        """Remove all faults."""
        self._rules.clear()

    def count(self, fault: Fault) -> int:
        """Return the number of requests that a fault has struck."""
        return sum(rule.struck for rule in self._rules if rule.fault is fault)

    def decide(self, method: str, path: str) -> Decision:
        """Return the decision on the next request."""
        delay, chosen = 0.0, None
        for rule in self._rules:
            fault = rule.fault
            if chosen is not None and not fault.only_delays:
                continue
            if not self._strikes(rule, method, path):
                continue
            delay += fault.latency + fault.jitter * self._random.random()
            if fault.effect is not None:
                fault.effect()
            if not fault.only_delays:
                chosen = fault
        return Decision(delay, chosen)

    def _strikes(self, rule: _Rule, method: str, path: str) -> bool:
        fault = rule.fault
        if fault.method not in {None, method} or not fnmatchcase(path, fault.path):
            return False
        rule.matched += 1
        number = rule.matched - fault.skip
        if number < 1 or (number - 1) % fault.every or rule.struck == fault.times:
            return False
        if fault.probability < 1.0 and self._random.random() >= fault.probability:
            return False
        rule.struck += 1
        return True
