"""The complexity of a GraphQL query, as GitLab computes it before it runs the query.

A field costs 1 and its children. A connection costs that, 1 % more for each row of its page:
app/graphql/types/base_field.rb, app/graphql/resolvers/base_resolver.rb. Without the schema, some
costs are unknown; where that leaves a choice, the higher cost counts.
"""

from collections.abc import Mapping
from typing import Any

from attrs import define, field

from gitlab_jobs_async.api.graphql_syntax import (
    MAX_DEPTH,
    Document,
    Field,
    Selections,
    Variable,
    parse,
)

_PAGE = 100
_CONNECTION = frozenset({"nodes", "edges", "pageInfo", "count"})
# Plain fields of every connection, which no resolver serves.
_PARTS = frozenset({"nodes", "edges", "node", "pageInfo"})
_ARGUMENTS = {"sort": 1, "search": 5, "sha": 2, "ref": 2, "labelName": 2}
# Fields that cost more than 1. Most of them read the repository (`calls_gitaly!`). Others:
# app/graphql/types/query_type.rb, and the projects of a group in namespace_projects_resolver.rb.
_PRICES = {
    "blobs": 1,
    "ciConfig": 125,
    "diffs": 1,
    "discussions": 1,
    "lastCommit": 1,
    "paginatedTree": 1,
    "pipelines": 1,
    "projects": 10,
    "timelogs": 4,
    "tree": 1,
}
# Percent for each row of a page, elsewhere 1 at most.
_PERCENT = {"discussions": 5, "snippets": 5}
# Connections without a default of `sort`, which would cost as a given one does. `projects` had one
# in earlier versions: 2 points at most.
_UNSORTED = frozenset({"jobs", "pipelines", "projects"})


def estimate_complexity(query: str, variables: Mapping[str, Any] | None = None) -> int:
    """Return the complexity of *query* with *variables*, at least that which GitLab computes.

    GitLab refuses more than 250 points with a token, 200 without one and 300 of an administrator:
    https://docs.gitlab.com/api/graphql/#maximum-query-complexity. Of several operations, the most
    expensive one counts.

    The schema is not known here. All fragments and directives count as included, and a connection
    as sorted by default: GitLab may charge less. It may charge more for a field that reads the
    repository (1 point each), and for one whose price is newer than this SDK.

    Raises:
        TypeError: *query* is not a string.
        ValueError: it is longer than 10,000 characters, not GraphQL, or names a fragment that is
            missing or includes itself.
    """
    document = parse(query)
    return max(
        _Cost(document, {**operation.defaults, **(variables or {})}).of(operation.selections)
        for operation in document.operations
    )


def check_complexity(query: str, variables: Mapping[str, Any] | None, most: int) -> None:
    """Return if *query* costs at most *most* points.

    Raises:
        ValueError: it costs more, or `estimate_complexity` refuses it.
    """
    points = estimate_complexity(query, variables)
    if points > most:
        raise ValueError(
            f"query has an estimated complexity of {points}: expected at most {most} "
            "(max_complexity, None for any)"
        )


@define(eq=False, repr=False)
class _Cost:
    document: Document
    variables: Mapping[str, Any] = field(repr=False)
    _fragments: dict[str, tuple[int, bool]] = field(factory=dict[str, tuple[int, bool]])

    def of(self, selections: Selections) -> int:
        """Return the points of an operation with *selections*."""
        return self._of(selections, (), is_root=True)[0]

    def _of(
        self, selections: Selections, path: tuple[str, ...], *, is_root: bool = False
    ) -> tuple[int, bool]:
        """Return the points of *selections*, and whether they are those of a connection."""
        points, is_connection = 0, False
        for selection in selections:
            if isinstance(selection, Field):
                points += self._of_field(selection, path, is_root=is_root)
                is_connection |= selection.name in _CONNECTION
            else:
                more, has_rows = self._of_fragment(selection.fragment, path, is_root=is_root)
                points, is_connection = points + more, is_connection or has_rows
        return points, is_connection

    def _of_fragment(self, name: str, path: tuple[str, ...], *, is_root: bool) -> tuple[int, bool]:
        known = self._fragments.get(name)
        if known is not None:
            return known
        selections = self.document.fragments.get(name)
        if selections is None:
            raise ValueError(f"unknown fragment {name!r}: expected one of the query")
        if name in path or len(path) == MAX_DEPTH:
            raise ValueError(f"fragment {name!r} includes itself, or nests too deep")
        found = self._of(selections, (*path, name), is_root=is_root)
        self._fragments[name] = found
        return found

    def _of_field(self, selected: Field, path: tuple[str, ...], *, is_root: bool) -> int:
        given = {name: self._value(value) for name, value in selected.arguments.items()}
        points = 1 + sum(more for name, more in _ARGUMENTS.items() if given.get(name) is not None)
        points += _items(given.get("paths"))  # blobs are read from the repository
        if not (is_root and selected.name == "projects"):
            points += _PRICES.get(selected.name, 0)
        if not selected.selections:
            return points
        children, is_connection = self._of(selected.selections, path)
        points += children
        if selected.name == "epics":
            points += children * max(0, _items(given.get("iids")) - 1)
        if selected.name in _PARTS or not is_connection:
            return points
        if given.get("sort") is None and selected.name not in _UNSORTED:
            points += 1
        # GitLab's floating-point numbers give the same, or 1 less.
        return points + points * _page_size(given) * _PERCENT.get(selected.name, 1) // 100

    def _value(self, value: Any) -> Any:
        return self.variables.get(value.name) if isinstance(value, Variable) else value


def _items(given: Any) -> int:
    return len(given) if isinstance(given, list | tuple) else 0


def _page_size(given: Mapping[str, Any]) -> int:
    sizes = [given.get(name) for name in ("first", "last")]
    return max(0, min([_PAGE, *(size for size in sizes if type(size) is int)]))
