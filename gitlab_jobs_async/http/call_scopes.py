"""Run calls within the scopes that the hooks of the caller make for them.

A scope is active while a step of its call runs, and never while the caller has control: between
two values of an iterator, or inside a block. Each step enters and leaves it in one task.
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from types import FunctionType, TracebackType
from typing import Any, TypeVar

from attrs import frozen

from gitlab_jobs_async.http.hook_observer import call_hook
from gitlab_jobs_async.http.hooks import CallScope, CallStart
from gitlab_jobs_async.http.transport import Transport

T = TypeVar("T")

_IDS = ("job_id", "pipeline_id")


def report_method(
    method: FunctionType, face: Any, arguments: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    """Call *method* of *face*, and report what it returns: a coroutine, an iterator or a block."""
    transport: Transport = face._transport  # noqa: SLF001 - all faces of the client have one
    ids = _ids_of(method, face, arguments, options)
    result = method(face, *arguments, **options)
    if isinstance(result, Coroutine):
        return report_coroutine(transport, method.__name__, ids, result)
    if isinstance(result, AsyncGenerator):
        return _rows(_begin(transport, method.__name__, ids), result)
    return _block(_begin(transport, method.__name__, ids), result)


async def report_coroutine(
    transport: Transport, name: str, ids: Mapping[str, object], work: Coroutine[Any, Any, T]
) -> T:
    """Run *work* as the call *name*."""
    with _ending(_begin(transport, name, ids)()) as scope, scope.active():
        return await work


def _ids_of(
    method: FunctionType, face: Any, arguments: tuple[Any, ...], options: dict[str, Any]
) -> dict[str, object]:
    ids = {type(face).__name__.lower(): face.id} if hasattr(face, "id") else {}
    first = method.__code__.co_varnames[1:2]
    if first and first[0] in _IDS:
        # An invalid id is refused by the method, before any request.
        ids[first[0]] = arguments[0] if arguments else options.get(first[0])
    return ids


def _begin(transport: Transport, name: str, ids: Mapping[str, object]) -> Callable[[], CallScope]:
    """Return a function that begins the scope of a call, when its first step runs."""
    redact = transport.credentials.redact

    def begin() -> CallScope:
        start = CallStart(name, {key: redact(str(value)) for key, value in ids.items()})
        hooks = transport.call_hooks
        return (call_hook(hooks.on_call, start) if hooks else None) or CallScope()

    return begin


@contextmanager
def _ending(scope: CallScope) -> Iterator[CallScope]:
    """End *scope* with the block, and with its error if it has one."""
    try:
        yield scope
    except GeneratorExit:
        # The caller has left an iterator early.
        call_hook(scope.end, None)
        raise
    except BaseException as error:
        call_hook(scope.end, error)
        raise
    call_hook(scope.end, None)


async def _rows(
    begin: Callable[[], CallScope], rows: AsyncGenerator[T, None]
) -> AsyncGenerator[T, None]:
    with _ending(begin()) as scope:
        try:
            while True:
                with scope.active():
                    try:
                        row = await anext(rows)
                    except StopAsyncIteration:
                        return
                yield row
        finally:
            with scope.active():
                await rows.aclose()


@asynccontextmanager
async def _block(
    begin: Callable[[], CallScope], block: AbstractAsyncContextManager[T]
) -> AsyncGenerator[T, None]:
    with _ending(begin()) as scope:
        async with _Active(scope, block) as value:
            yield value


@frozen(eq=False, repr=False)
class _Active(AbstractAsyncContextManager[T]):
    """*block*, which begins and ends within *scope*."""

    scope: CallScope
    block: AbstractAsyncContextManager[T]

    async def __aenter__(self) -> T:
        with self.scope.active():
            return await self.block.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        with self.scope.active():
            return await self.block.__aexit__(kind, error, traceback)
