"""Decode JSON straight into attrs values with msgspec, about as fast as JSON into dicts.

It accepts only JSON of which cattrs makes the same values; the caller lets cattrs decide the rest.
Two differences are left: an unknown field may hold a number out of range, such as 1e999, and the
size of an artifact may need more than 64 bits.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial, reduce
from operator import or_
from types import NoneType
from typing import Annotated, Any, Generic, NamedTuple, TypeVar, cast, get_args, get_origin

from attrs import NOTHING, Attribute, fields, has, make_class
from msgspec import Meta, MsgspecError, Raw, defstruct
from msgspec.json import Decoder
from msgspec.structs import astuple

from gitlab_jobs_async.api.value_types import (
    AWARE_DATETIME,
    FAILURE_REASONS,
    STATUSES,
    is_union,
)
from gitlab_jobs_async.models.artifacts import Artifact, ArtifactsFile
from gitlab_jobs_async.models.statuses import FailureReason, JobStatus

T = TypeVar("T")
Finish = Callable[[Iterable[Any]], Iterable[Any]]
"""Return the values of an attribute for those that msgspec decoded."""

WIRE_ERRORS = (MsgspecError, ValueError, RecursionError)
"""Errors of JSON that cattrs must decide about."""

# orjson reads longer integers as floats.
_INT = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]

_WIRES: dict[Any, Any] = {
    int: _INT,
    str: str,
    bool: bool,
    float: float,
    float | str: float | str,
    datetime: AWARE_DATETIME,
    JobStatus: str,
    FailureReason: str,
}
# Few of a page are equal. All their values are plain, so that msgspec makes them itself.
_DISTINCT = frozenset({Artifact, ArtifactsFile})

_FINISHES: dict[Any, Finish] = {
    JobStatus: partial(map, STATUSES.__getitem__),
    FailureReason: partial(map, FAILURE_REASONS.__getitem__),
}


class WireDecoder(Generic[T]):
    """Decoder of the JSON of an attrs class, by way of a msgspec class with the same fields.

    Objects in it stay raw at first, and each distinct text is decoded once: the jobs of a page have
    few users, commits, pipelines and runners.
    """

    def __init__(self, kind: type[T]) -> None:
        attributes: tuple[Attribute[Any], ...] = fields(cast(Any, kind))
        wires = [_wire_of(one.type, one.default) for one in attributes]
        self._finishes = [(n, wire.finish) for n, wire in enumerate(wires) if wire.finish]
        members = [
            (one.name, wire.type)
            if one.default is NOTHING
            else (one.name, wire.type, Raw(b"null") if wire.type is Raw else one.default)
            for one, wire in zip(attributes, wires, strict=True)
        ]
        self.wire = defstruct(kind.__name__, members, kw_only=True, gc=False)
        self._kind = kind
        self._unfrozen = _unfrozen(kind)
        # The code that attrs writes for a class of these names sets them on any object.
        names = make_class("Names", [one.name for one in attributes])
        self._set: Callable[..., None] = vars(names)["__init__"]
        self._one: Decoder[Any] = Decoder(self.wire)
        self._page: Decoder[list[Any]] = Decoder(list.__class_getitem__(self.wire))

    def rows(self, body: bytes) -> list[Any]:
        """Return the rows of a page for `build`; only their `id` is for other uses."""
        _check_text(body)
        return self._page.decode(body)

    def decode(self, body: bytes) -> T:
        """Return the value of one JSON object."""
        _check_text(body)
        return self.build([self._one.decode(body)])[0]

    def build(self, rows: Sequence[Any]) -> list[T]:
        """Return the values of rows."""
        # By columns, since a call for each value would take longer than msgspec for all.
        columns: list[Iterable[Any]] = list(zip(*map(astuple, rows), strict=True))
        if columns:
            for number, finish in self._finishes:
                columns[number] = finish(columns[number])
        made = [object.__new__(self._unfrozen) for _ in rows]
        for one, values in zip(made, zip(*columns, strict=True), strict=True):
            self._set(one, *values)
            one.__class__ = self._kind
        return made


_decoders: dict[type, WireDecoder[Any]] = {}


def wire_decoder(kind: type[T]) -> WireDecoder[T]:
    """Return the decoder of an attrs class; there is one for each."""
    if kind not in _decoders:
        _decoders[kind] = WireDecoder(kind)
    return _decoders[kind]


class _Shared(dict[bytes, Any]):
    """The values of each distinct text of a response; null has a value of its own."""

    def __init__(self, decode: Callable[[bytes], Any], null: Any) -> None:
        super().__init__()
        self._decode = decode
        self._null = null
        _shared.append(self)

    def __missing__(self, text: bytes) -> Any:
        value = self[text] = self._null if text == b"null" else self._decode(text)
        return value

    def finish(self, column: Iterable[Any]) -> Iterable[Any]:
        """Return the values of raw texts."""
        return map(self.__getitem__, map(bytes, column))


_shared: list[_Shared] = []


@contextmanager
def forgetting_shared() -> Iterator[None]:
    """Forget at the end the values that were decoded, since others follow and memory would grow."""
    try:
        yield
    finally:
        for known in _shared:
            known.clear()


def _check_text(body: bytes) -> None:
    # msgspec checks only the strings that it returns.
    if not body.isascii():
        body.decode()


def _unfrozen(kind: type[T]) -> type[T]:
    """Return a subclass of a frozen class whose attributes can be set.

    Setting 30 attributes of a frozen object takes longer than parsing them.
    """
    # Python has one C function for both, and uses its fast one only if both are `object`'s.
    setters = {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    return type(kind.__name__, (kind,), {"__slots__": (), **setters})


class _Wire(NamedTuple):
    """How msgspec decodes an attribute: its type, and what completes a column of its values."""

    type: Any
    finish: Finish | None = None


def _wire_of(kind: Any, default: Any) -> _Wire:
    kinds = [arg for arg in get_args(kind) if arg is not NoneType]
    if get_origin(kind) is tuple:
        return _wire_of_list(kinds[0])
    is_optional = is_union(kind) and NoneType in get_args(kind)
    inner = reduce(or_, kinds) if is_optional else kind
    if has(inner) and inner not in _DISTINCT:
        return _Wire(Raw, _Shared(lambda text: wire_decoder(inner).decode(text), default).finish)
    wire = _WIRES.get(inner, inner)
    return _Wire(wire | None if is_optional else wire, _FINISHES.get(inner))


def _wire_of_list(item: Any) -> _Wire:
    """Return the same for a list; null is an empty one."""
    rows = tuple.__class_getitem__((item, ...))
    if item in _DISTINCT:
        return _Wire(rows | None, lambda column: [given or () for given in column])
    decode = _rows_decoder(item) if has(item) else Decoder(rows).decode
    return _Wire(Raw, _Shared(decode, ()).finish)


def _rows_decoder(item: type[T]) -> Callable[[bytes], tuple[T, ...]]:
    def decode(text: bytes) -> tuple[T, ...]:
        decoder = wire_decoder(item)
        return tuple(decoder.build(decoder.rows(text)))

    return decode
