"""Decode JSON straight into attrs values with msgspec, about as fast as JSON into dicts.

It accepts only JSON of which cattrs makes the same values; the caller lets cattrs decide the rest.
Two differences are left: an unknown field may hold a number out of range, such as 1e999, and the
size of an artifact may need more than 64 bits.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import reduce
from operator import or_
from types import NoneType
from typing import Annotated, Any, Generic, TypeVar, cast, get_args, get_origin

from attrs import NOTHING, Attribute, fields, has, make_class
from msgspec import Meta, MsgspecError, Raw, defstruct
from msgspec.json import Decoder
from msgspec.structs import astuple

from gitlab_jobs_async.api.value_types import (
    AWARE_DATETIME,
    failure_reason_of,
    is_union,
    status_of,
)
from gitlab_jobs_async.models.jobs import Artifact, ArtifactsFile
from gitlab_jobs_async.models.statuses import FailureReason, JobStatus

T = TypeVar("T")
Finish = Callable[[Any], Any]
"""Return the value of an attribute for what msgspec decoded."""

WIRE_ERRORS = (MsgspecError, ValueError, RecursionError)
"""Errors of JSON that cattrs must judge."""

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

_FINISHES: dict[Any, Finish] = {JobStatus: status_of, FailureReason: failure_reason_of}


class WireDecoder(Generic[T]):
    """Decoder of the JSON of an attrs class, by way of a msgspec class with the same fields.

    Objects in it stay raw at first, and each distinct text is decoded once: the jobs of a page have
    few users, commits, pipelines and runners.
    """

    def __init__(self, kind: type[T]) -> None:
        attributes: tuple[Attribute[Any], ...] = fields(cast(Any, kind))
        wires = [_wire_of(one.type) for one in attributes]
        self._finishes = [(n, finish) for n, (_, finish) in enumerate(wires) if finish]
        members = [
            (one.name, wire) if one.default is NOTHING else (one.name, wire, one.default)
            for one, (wire, _) in zip(attributes, wires, strict=True)
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
        return self.build(self._one.decode(body))

    def build(self, row: Any) -> T:
        """Return the value of a row."""
        values = list(astuple(row))
        for number, finish in self._finishes:
            values[number] = finish(values[number])
        made = object.__new__(self._unfrozen)
        self._set(made, *values)
        made.__class__ = self._kind
        return made


_decoders: dict[type, WireDecoder[Any]] = {}


def wire_decoder(kind: type[T]) -> WireDecoder[T]:
    """Return the decoder of an attrs class; there is one for each."""
    if kind not in _decoders:
        _decoders[kind] = WireDecoder(kind)
    return _decoders[kind]


# The values of each distinct text of a response, for each type.
_shared: list[dict[bytes, Any]] = []


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


def _wire_of(kind: Any) -> tuple[Any, Finish | None]:
    """Return the type that msgspec decodes for an attribute's, and what completes the value."""
    kinds = [arg for arg in get_args(kind) if arg is not NoneType]
    if get_origin(kind) is tuple:
        return _wire_of_list(kinds[0])
    is_optional = is_union(kind) and NoneType in get_args(kind)
    inner = reduce(or_, kinds) if is_optional else kind
    if inner in _DISTINCT:
        return inner | None, None
    if has(inner):
        null = {b"null": None} if is_optional else {}
        return Raw, _sharing(lambda text: wire_decoder(inner).decode(text), null)
    wire, finish = _WIRES[inner], _FINISHES.get(inner)
    if not is_optional:
        return wire, finish
    return wire | None, finish and (lambda value: None if value is None else finish(value))


def _wire_of_list(item: Any) -> tuple[Any, Finish]:
    """Return the same for a list; null is an empty one."""
    rows = tuple.__class_getitem__((item, ...))
    if item in _DISTINCT:
        return rows | None, lambda given: given or ()
    decode = _rows_decoder(item) if has(item) else Decoder(rows).decode
    return Raw, _sharing(decode, {b"null": ()})


def _rows_decoder(item: type[T]) -> Callable[[bytes], tuple[T, ...]]:
    def decode(text: bytes) -> tuple[T, ...]:
        decoder = wire_decoder(item)
        return tuple(map(decoder.build, decoder.rows(text)))

    return decode


def _sharing(decode: Callable[[bytes], Any], null: Mapping[bytes, Any]) -> Finish:
    """Return a completion that decodes each distinct text once; *null* is the value of null."""
    known: dict[bytes, Any] = {}
    _shared.append(known)

    def finish(raw: Any) -> Any:
        if type(raw) is not Raw:
            return raw  # the default of a missing field
        text = bytes(raw)
        try:
            return known[text]
        except KeyError:
            value = known[text] = null[text] if text in null else decode(text)
            return value

    return finish
