"""A parser for GraphQL documents: as much as the cost and the kind of a query depend on.

It accepts every valid document, and some invalid ones, which the server then refuses. Directives,
types and aliases are read over. See https://spec.graphql.org/October2021/#sec-Document-Syntax.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import define, field, frozen

MAX_QUERY = 10_000
"""Characters of a query that GitLab accepts: app/controllers/graphql_controller.rb."""

MAX_DEPTH = 64
"""Levels of a document; GitLab accepts 20 of fields."""

# Possessive quantifiers keep an unclosed string from being tried in every way.
_TOKEN = re.compile(
    r'(?P<block>"""(?:\\"""|[^"\\]|\\(?!""")|"(?!""))*+""")'
    r'|(?P<string>(?!""")"(?:[^"\\\n\r]|\\[^\n\r])*+")'
    r"|(?P<name>[_A-Za-z][_0-9A-Za-z]*+)"
    r"|(?P<number>-?[0-9]++(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)"
    r"|(?P<punctuation>\.\.\.|[!$&():=@\[\]{|}])"
)
_IGNORED = re.compile(r"(?:[\ufeff\s,]|#[^\n\r]*+)*+")
_OPERATIONS = frozenset({"query", "mutation", "subscription"})
_CONSTANTS = {"true": True, "false": False, "null": None}
# Page sizes are shorter, and long numbers are slow to convert.
_MAX_DIGITS = 18


@frozen
class Variable:
    """A variable as the value of an argument."""

    name: str


@frozen
class Spread:
    """A fragment named in a selection."""

    fragment: str


@frozen
class Field:
    """A field with its arguments and, unless it is a leaf, its selections."""

    name: str
    arguments: Mapping[str, Any] = field(hash=False)
    selections: tuple["Field | Spread", ...] = ()


Selections = tuple[Field | Spread, ...]


@frozen
class Operation:
    """An operation: its kind, the defaults of its variables and its selections."""

    kind: str
    defaults: Mapping[str, Any] = field(hash=False)
    selections: Selections


@frozen
class Document:
    """The operations and fragments of a query, and its literal *strings*."""

    operations: tuple[Operation, ...]
    fragments: Mapping[str, Selections] = field(hash=False)
    strings: tuple[str, ...] = field(repr=False)

    @property
    def is_read_only(self) -> bool:
        """Whether it has no mutation and no subscription."""
        return all(operation.kind == "query" for operation in self.operations)


def parse(query: str) -> Document:
    """Return the parsed *query*.

    Raises:
        TypeError: *query* is not a string.
        ValueError: it is too long, or not GraphQL; the message has the line, not the text.
    """
    if not isinstance(query, str):
        raise TypeError(f"query must be a string, not {type(query).__name__}")
    if len(query) > MAX_QUERY:
        raise ValueError(
            f"query of {len(query)} characters: GitLab accepts at most {MAX_QUERY}; "
            "pass values as variables"
        )
    return _Parser(query).document()


@define(eq=False, repr=False)
class _Parser:
    query: str = field(repr=False)
    _kind: str = ""
    _text: str = field(default="", repr=False)
    _at: int = 0
    _next: int = 0
    _depth: int = 0
    _strings: list[str] = field(factory=list[str], repr=False)

    def __attrs_post_init__(self) -> None:
        self._advance()

    def document(self) -> Document:
        operations, fragments = list[Operation](), dict[str, Selections]()
        while self._kind:
            if self._text == "{":
                operations.append(Operation("query", {}, self._selections()))
            elif self._text in _OPERATIONS:
                operations.append(self._operation())
            elif self._text == "fragment":
                self._advance()
                name = self._name()
                self._type_condition()
                self._directives()
                fragments[name] = self._selections()
            else:
                raise self._error("an operation or a fragment")
        if not operations:
            raise self._error("an operation")
        return Document(tuple(operations), fragments, tuple(self._strings))

    def _operation(self) -> Operation:
        kind, defaults = self._name(), dict[str, Any]()
        if self._kind == "name":
            self._advance()
        if self._skip("("):
            while not self._skip(")"):
                self._expect("$")
                name = self._name()
                self._expect(":")
                self._type()
                if self._skip("="):
                    defaults[name] = self._value()
                self._directives()
        self._directives()
        return Operation(kind, defaults, self._selections())

    def _type_condition(self) -> None:
        if self._text != "on":
            raise self._error("'on'")
        self._advance()
        self._name()

    def _type(self) -> None:
        # Only the brackets of lists can nest, and they need no tree.
        opened = 0
        while self._skip("["):
            opened += 1
        self._name()
        self._skip("!")
        for _ in range(opened):
            self._expect("]")
            self._skip("!")

    def _selections(self) -> Selections:
        self._expect("{")
        self._deeper()
        selections = list[Field | Spread]()
        while not self._skip("}"):
            selections.extend(self._selection())
        self._depth -= 1
        return tuple(selections)

    def _selection(self) -> Iterator[Field | Spread]:
        if not self._skip("..."):
            yield self._field()
            return
        if self._kind == "name" and self._text != "on":
            yield Spread(self._name())
            self._directives()
            return
        if self._text == "on":
            self._type_condition()
        self._directives()
        # The fields of an inline fragment cost as those around it.
        yield from self._selections()

    def _field(self) -> Field:
        name = self._name()
        if self._skip(":"):  # it was an alias
            name = self._name()
        arguments = self._arguments()
        self._directives()
        return Field(name, arguments, self._selections() if self._text == "{" else ())

    def _arguments(self) -> dict[str, Any]:
        arguments = dict[str, Any]()
        if self._skip("("):
            while not self._skip(")"):
                name = self._name()
                self._expect(":")
                arguments[name] = self._value()
        return arguments

    def _directives(self) -> None:
        while self._skip("@"):
            self._name()
            self._arguments()

    def _value(self) -> Any:
        kind, text = self._kind, self._text
        if self._skip("$"):
            return Variable(self._name())
        if self._skip("["):
            return self._nested_list()
        if self._skip("{"):
            return self._nested_object()
        if kind not in {"name", "number", "string", "block"}:
            raise self._error("a value")
        self._advance()
        if kind == "number":
            return int(text) if text.lstrip("-").isdigit() and len(text) <= _MAX_DIGITS else text
        if kind in {"string", "block"}:
            value = text.strip('"')
            self._strings.append(value)
            return value
        return _CONSTANTS.get(text, text)

    def _nested_list(self) -> list[Any]:
        self._deeper()
        values = list[Any]()
        while not self._skip("]"):
            values.append(self._value())
        self._depth -= 1
        return values

    def _nested_object(self) -> dict[str, Any]:
        self._deeper()
        values = dict[str, Any]()
        while not self._skip("}"):
            name = self._name()
            self._expect(":")
            values[name] = self._value()
        self._depth -= 1
        return values

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"at most {MAX_DEPTH} levels")

    def _name(self) -> str:
        text = self._text
        if self._kind != "name":
            raise self._error("a name")
        self._advance()
        return text

    def _expect(self, punctuation: str) -> None:
        if not self._skip(punctuation):
            raise self._error(f"'{punctuation}'")

    def _skip(self, punctuation: str) -> bool:
        if self._kind != "punctuation" or self._text != punctuation:
            return False
        self._advance()
        return True

    def _advance(self) -> None:
        ignored = _IGNORED.match(self.query, self._next)
        self._at = self._next if ignored is None else ignored.end()
        if self._at == len(self.query):
            self._kind = self._text = ""
            return
        token = _TOKEN.match(self.query, self._at)
        if token is None:
            raise self._error("GraphQL")
        self._kind, self._text = str(token.lastgroup), token[0]
        self._next = token.end()

    def _error(self, expected: str) -> ValueError:
        # Without the text: a query may hold a secret.
        line = self.query.count("\n", 0, self._at) + 1
        return ValueError(f"invalid GraphQL query in line {line}: expected {expected}")
