"""Hooks of the caller around each HTTP request, and the values that they get."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from inspect import iscoroutinefunction
from typing import Any

from attrs import Attribute, field, frozen


@frozen(eq=False)
class RequestStart:
    """A request that is about to be sent; no field holds a credential or a query.

    Attributes:
        method: HTTP method, such as "GET".
        url: URL without its query. Of a host that the server redirects to, such as an object
            storage, only scheme and host.
        route: path below `/api/v4` with placeholders, such as "/projects/:id/jobs", or "/graphql";
            empty for another host.
        attempt: 1 for the first try of a call, 2 for its first retry.
        redirects: number of redirects that this attempt has followed before.
        waited: seconds in the queue, for a free slot and the rate limit; 0 for another host.
        is_stream: whether the caller reads the body piece by piece.
    """

    method: str
    url: str
    route: str
    attempt: int
    redirects: int
    waited: float
    is_stream: bool


@frozen(eq=False)
class RequestEnd:
    """The end of a request: its response, or its failure.

    Attributes:
        start: the same object that `on_start` got.
        status: status of the response, None if no head arrived.
        seconds: from sending to the last byte; for a stream, to its last piece or the end of the
            block, so the caller's own time counts, too.
        head_seconds: from sending to the head of the response, None if no head arrived.
        size: bytes of the body that arrived, before decompression.
        error: name of the error's class, such as "NotFoundError", "TimedOutError" or
            "CancelledError"; None after a success or a redirect.
        request_id: `X-Request-Id` of the response, by which administrators find it in their logs.
        retry_in: seconds until the request enters the queue again; None if it is not sent again.
        total_pages: number of pages of the list, as GitLab counts it in `X-Total-Pages`; None
            without it, as in a list of a project's jobs or of more than 10,000 rows.
    """

    start: RequestStart
    status: int | None
    seconds: float
    head_seconds: float | None
    size: int
    error: str | None
    request_id: str | None
    retry_in: float | None
    total_pages: int | None = None

    @property
    def is_retried(self) -> bool:
        """Whether the request is sent again."""
        return self.retry_in is not None


def _is_async(hook: Callable[..., object]) -> bool:
    return iscoroutinefunction(hook) or iscoroutinefunction(type(hook).__call__)


def _is_plain(_hooks: object, attribute: "Attribute[Any]", hook: object) -> None:
    if hook is None or (callable(hook) and not _is_async(hook)):
        return
    kind = "a coroutine function" if callable(hook) else repr(hook)
    raise TypeError(f"{attribute.name} must be a plain function of one argument, not {kind}")


@frozen(kw_only=True)
class RequestHooks:
    """Functions to call around each HTTP request: `GitLab(hooks=RequestHooks(on_end=log))`.

    Every attempt, redirect and page of a listing is a request. Each `on_start` is followed by one
    `on_end`, also after a failure or a cancellation. A call that ends before its request is sent,
    as during a long pause of the rate limit, has neither.

    Hooks run in the task that sends the request, and must not block. An exception of a hook is
    logged, and changes nothing for the request.

    Attributes:
        on_start: called before a request is sent.
        on_end: called after its last byte, or its failure.

    Raises:
        TypeError: a hook is not a plain function.
    """

    on_start: Callable[[RequestStart], object] | None = field(default=None, validator=_is_plain)
    on_end: Callable[[RequestEnd], object] | None = field(default=None, validator=_is_plain)


@frozen(eq=False)
class CallStart:
    """A call of the client that begins: *name* is that of its method, or of a step of a monitor.

    *ids* are those of "project", "group", "job_id" and "pipeline_id" that it was given.
    """

    name: str
    ids: Mapping[str, str]


class CallScope:
    """One call, as hooks observe it; this one does nothing."""

    __slots__ = ()

    def active(self) -> AbstractContextManager[object]:
        """Return a block for one step of the call, within one task."""
        return nullcontext()

    def end(self, error: BaseException | None) -> None:
        """End the call, with *error* if it has failed or was cancelled."""


@frozen(kw_only=True)
class CallHooks(RequestHooks):
    """Hooks of requests and of the calls that send them: *on_call* begins the scope of a call."""

    on_call: Callable[[CallStart], CallScope]


def request_hooks(hooks: object) -> RequestHooks:
    """Return *hooks*.

    Raises:
        TypeError: they are of another type.
    """
    if isinstance(hooks, RequestHooks):
        return hooks
    raise TypeError(f"hooks must be RequestHooks, not {hooks!r}")
