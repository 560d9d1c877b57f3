"""The schema with its resolvers, built once for each release."""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Final, Protocol

from graphql import (
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
)

from gitlab_jobs_async.simulator.api.graphql import fields, lists
from gitlab_jobs_async.simulator.api.graphql.context import Context
from gitlab_jobs_async.simulator.api.graphql.definition import SINCE, definition
from gitlab_jobs_async.simulator.api.graphql.values import read_time

_RESOLVERS: Final[Mapping[str, Mapping[str, Callable[..., object]]]] = {
    **fields.RESOLVERS,
    "Metadata": lists.METADATA,
    "Pipeline": {**fields.PIPELINE, **lists.PIPELINE},
    "Project": {**fields.PROJECT, **lists.PROJECT},
    "Query": lists.QUERY,
    "QueryComplexity": lists.QUERY_COMPLEXITY,
}


class _ResolveInfo(Protocol):
    """The part of graphql-core's `GraphQLResolveInfo` in use; it is generic from 3.3 on only."""

    @property
    def context(self) -> Context: ...


@lru_cache(maxsize=8)
def schema_of(statuses: tuple[str, ...], release: tuple[int, int]) -> GraphQLSchema:
    """Return the schema of a release that knows these statuses."""
    schema = build_schema(definition(statuses))
    for name, kind in schema.type_map.items():
        if isinstance(kind, GraphQLObjectType) and not name.startswith("__"):
            resolvers = _resolvers_of(name)
            for field_name, field in kind.fields.items():
                path = f"{name}.{field_name}"
                field.resolve = partial(_resolved, resolvers[field_name], path)
                for argument in list(field.args):
                    if SINCE.get(f"{path}.{argument}", release) > release:
                        del field.args[argument]
        elif isinstance(kind, GraphQLInterfaceType):
            kind.resolve_type = _pipeline_type
    # The first name is that of graphql-core 3.2, the second that of 3.3.
    for name in ("parse_value", "coerce_input_value"):
        setattr(schema.type_map["Time"], name, read_time)
    return schema


def _pipeline_type(*_: object) -> str:
    return "Pipeline"


def _resolvers_of(name: str) -> Mapping[str, Callable[..., object]]:
    if name in _RESOLVERS:
        return _RESOLVERS[name]
    return fields.CONNECTION if name.endswith("Connection") else fields.EDGE


def _resolved(
    resolver: Callable[..., object],
    path: str,
    row: object,
    info: _ResolveInfo,
    **arguments: object,
) -> object:
    if info.context.is_late:
        raise GraphQLError(f"Timeout on {path}")
    return resolver(row, info.context, **arguments)
