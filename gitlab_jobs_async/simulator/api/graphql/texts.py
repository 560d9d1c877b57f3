"""Errors of a query in the words of graphql-ruby, which GitLab runs."""

import re
from collections.abc import Mapping
from typing import Final

from graphql import GraphQLError

_TEXTS: Final = (
    (
        re.compile(r"Cannot query field '(?P<field>\w+)' on type '(?P<type>\w+)'"),
        "Field '{field}' doesn't exist on type '{type}'",
        "undefinedField",
    ),
    (
        re.compile(r"Unknown argument '(?P<argument>\w+)' on field '\w+\.(?P<field>\w+)'"),
        "Field '{field}' doesn't accept argument '{argument}'",
        "argumentNotAccepted",
    ),
)


def worded(error: GraphQLError) -> dict[str, object]:
    """Return an entry of `errors` for an invalid query."""
    entry: dict[str, object] = dict(error.formatted)
    for pattern, text, code in _TEXTS:
        if match := pattern.match(error.message):
            found: Mapping[str, str] = match.groupdict()
            entry["message"] = text.format(**found)
            entry["extensions"] = {"code": code}
    return entry
