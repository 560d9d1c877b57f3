"""Report the caller's calls of the client to its hooks, if these take calls.

Imported by each first use, so the work on a reported call is in `call_scopes`, which is not.
"""

from collections.abc import Coroutine
from functools import wraps
from inspect import iscoroutinefunction
from types import FunctionType
from typing import Any, TypeVar

from gitlab_jobs_async import http
from gitlab_jobs_async.http.transport import Transport

T = TypeVar("T")
C = TypeVar("C")

_NOT_CALLS = {"group", "monitor", "project"}
"""Methods that send nothing themselves; each poll of a monitor is a call of its own."""


def report_calls(kind: type[C]) -> type[C]:
    """Report each call of the public methods of *kind*, which has a `_transport`."""
    for name in dir(kind):
        method = getattr(kind, name)
        is_call = isinstance(method, FunctionType) and not name.startswith("_")
        if is_call and name not in _NOT_CALLS:
            setattr(kind, name, _reported(method))
    return kind


def _reported(method: FunctionType) -> object:
    if iscoroutinefunction(method):

        @wraps(method)
        async def run(self: Any, *arguments: Any, **options: Any) -> Any:
            if self._transport.call_hooks is None:
                return await method(self, *arguments, **options)
            return await http.report_method(method, self, arguments, options)

        return run

    @wraps(method)
    def begin(self: Any, *arguments: Any, **options: Any) -> Any:
        if self._transport.call_hooks is None:
            return method(self, *arguments, **options)
        return http.report_method(method, self, arguments, options)

    return begin


def reported(
    transport: Transport, name: str, work: Coroutine[Any, Any, T], **ids: object
) -> Coroutine[Any, Any, T]:
    """Return *work*, which is reported as the call *name* when it runs."""
    if transport.call_hooks is None:
        return work
    return http.report_coroutine(transport, name, ids, work)
