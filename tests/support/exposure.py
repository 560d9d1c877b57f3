"""Collect an error as an error reporter does, and list every place that holds a secret."""

import os
import traceback
from base64 import b64encode
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from pathlib import Path
from types import CodeType
from urllib.parse import quote, quote_plus

import attrs

TESTS = f"{Path(__file__).parents[1]}{os.sep}"
FOREIGN = ("aiohttp", "yarl", "multidict", "http.cookies", "ssl")
DEEPEST = 7


def written(secret: str) -> set[str]:
    """Return the forms of a secret in text: plain, quoted, or inside base64."""
    forms = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1]}
    for before in range(3):
        encoded = b64encode(b"x" * before + secret.encode()).decode()
        # The outer characters depend on the neighbouring bytes.
        forms.add(encoded.rstrip("=")[(0, 2, 3)[before] : -1])
    return forms


def exposed(error: BaseException, *secrets: str) -> list[str]:
    """Return the places in *error* that hold one of *secrets*.

    Collects at least as much as Sentry, rich and Datadog do: the error, its causes, contexts
    (suppressed ones, too) and members of groups. Of each it reads text, arguments, attributes,
    notes, and the locals of all frames but those in these tests. Of a local it reads text, repr,
    items of containers, fields shown in an attrs or dataclass repr, and all attributes of objects
    of aiohttp, yarl and multidict, to a depth of seven. Fields with `repr=False`, closures and
    suspended coroutines are not read.
    """
    forms = set().union(*map(written, secrets))
    return sorted({place for place, text in _texts(error) if any(form in text for form in forms)})


def _texts(error: BaseException) -> Iterator[tuple[str, str]]:
    links, seen = [("error", error)], set()
    walk = Walk()
    while links:
        name, link = links.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield from walk.of(name, [str(link), repr(link), link.args, vars(link)], DEEPEST)
        for frame, line in traceback.walk_tb(link.__traceback__):
            if not _is_callers(frame.f_code):
                where = f"{name} {frame.f_code.co_filename.rpartition(os.sep)[2]}:{line}"
                for local, value in frame.f_locals.items():
                    yield from walk.of(f"{where} {local}", value, DEEPEST)
        links += [
            (f"{name}.{kind}", other)
            for kind, other in (("cause", link.__cause__), ("context", link.__context__))
            if other is not None
        ]
        if isinstance(link, BaseExceptionGroup):
            links += [(f"{name}[{n}]", one) for n, one in enumerate(link.exceptions)]


def _is_callers(code: CodeType) -> bool:
    return code.co_filename.startswith(TESTS)


class Walk:
    """Yields the texts that can be reached from values, those of an object once."""

    def __init__(self) -> None:
        # An object is kept with its depth, since the id of one that is gone is given again.
        self._done: dict[int, tuple[int, object]] = {}

    def of(self, place: str, value: object, depth: int) -> Iterator[tuple[str, str]]:
        """Yield the texts of *value* down to *depth*, each with its place."""
        if isinstance(value, str):
            yield place, value
        elif isinstance(value, bytes | bytearray | memoryview):
            yield place, bytes(value).decode("latin-1")
        elif depth > self._done.get(id(value), (0, None))[0]:
            self._done[id(value)] = depth, value
            with suppress(AttributeError, TypeError):  # of a half-initialized object
                yield place, repr(value)
            for name, part in _parts(value):
                yield from self.of(f"{place}{name}", part, depth - 1)


def _parts(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield "{}", name
            yield f"[{name!r:.20}]", part
    elif isinstance(value, list | tuple | set | frozenset | deque):
        yield from (("[]", part) for part in value)
    elif attrs.has(type(value)) and not _is_foreign(value):
        shown = [f.name for f in attrs.fields(type(value)) if f.repr is True]
        yield from ((f".{name}", getattr(value, name, None)) for name in shown)
    elif is_dataclass(value) and not isinstance(value, type):
        shown = [f.name for f in dataclass_fields(value) if f.repr]
        yield from ((f".{name}", getattr(value, name, None)) for name in shown)
    elif _is_foreign(value) and not isinstance(value, type):
        slots = [s for kind in type(value).__mro__ for s in getattr(kind, "__slots__", ())]
        for name in {*slots, *getattr(value, "__dict__", ())}:
            yield f".{name}", getattr(value, name, None)


def _is_foreign(value: object) -> bool:
    return type(value).__module__.startswith(FOREIGN)
