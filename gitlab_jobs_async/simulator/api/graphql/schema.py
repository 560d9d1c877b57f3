"""The schema with its resolvers, built once for each set of statuses."""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Final

from graphql import (
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    build_schema,
)

from gitlab_jobs_async.simulator.api.graphql import fields, lists
from gitlab_jobs_async.simulator.api.graphql.context import Context
from gitlab_jobs_async.simulator.api.graphql.definition import definition
from gitlab_jobs_async.simulator.api.graphql.values import read_time

_RESOLVERS: Final[Mapping[str, Mapping[str, Callable[..., object]]]] = {
    **fields.RESOLVERS,
    "Metadata": lists.METADATA,
    "Pipeline": {**fields.PIPELINE, **lists.PIPELINE},
    "Project": {**fields.PROJECT, **lists.PROJECT},
    "Query": lists.QUERY,
    "QueryComplexity": lists.QUERY_COMPLEXITY,
}


@lru_cache(maxsize=8)
def schema_of(statuses: tuple[str, ...]) -> GraphQLSchema:
    """Return the schema of a server that knows these statuses."""
    schema = build_schema(definition(statuses))
    for name, kind in schema.type_map.items():
        if isinstance(kind, GraphQLObjectType) and not name.startswith("__"):
            resolvers = _resolvers_of(name)
            for field_name, field in kind.fields.items():
                path = f"{name}.{field_name}"
                field.resolve = partial(_resolved, resolvers[field_name], path)
    time = schema.type_map["Time"]
    if isinstance(time, GraphQLScalarType):
        time.parse_value = read_time  # type: ignore[assignment]
    return schema


def _resolvers_of(name: str) -> Mapping[str, Callable[..., object]]:
    if name in _RESOLVERS:
        return _RESOLVERS[name]
    return fields.CONNECTION if name.endswith("Connection") else fields.EDGE


def _resolved(
    resolver: Callable[..., object],
    path: str,
    row: object,
    info: "GraphQLResolveInfo[Context]",
    **arguments: object,
) -> object:
    if info.context.is_late:
        raise GraphQLError(f"Timeout on {path}")
    return resolver(row, info.context, **arguments)
