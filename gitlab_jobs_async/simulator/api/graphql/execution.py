"""Run one query: parse, validate, count its cost, execute."""

from collections.abc import Mapping
from typing import Final

from attrs import frozen
from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    execute_sync,
    get_operation_ast,
    parse,
    validate,
)

from gitlab_jobs_async.simulator.api.graphql.context import Context
from gitlab_jobs_async.simulator.api.graphql.costs import Costs
from gitlab_jobs_async.simulator.api.graphql.texts import worded

Json = dict[str, object]
_MOST_ERRORS: Final = 5


class RefusedError(Exception):
    """A query that does not run; `answer` states its errors."""

    def __init__(self, *messages: str | Json) -> None:
        super().__init__(*messages)
        self.answer: Json = {
            "errors": [{"message": m} if isinstance(m, str) else m for m in messages]
        }


@frozen
class Query:
    """A valid query: its document, the operation to run, its variables, and its costs."""

    document: DocumentNode
    operation: OperationDefinitionNode
    variables: Mapping[str, object]
    costs: Costs


def prepare(
    schema: GraphQLSchema, text: str, variables: Mapping[str, object], name: str | None
) -> Query:
    """Parse and validate a query.

    Raises:
        RefusedError: it is invalid.
    """
    if not text.strip():
        raise RefusedError("Unexpected end of document")
    try:
        document = parse(text)
    except GraphQLSyntaxError as error:
        raise RefusedError(worded(error)) from None
    if errors := validate(schema, document, max_errors=_MOST_ERRORS):
        raise RefusedError(*(worded(error) for error in errors))
    operation = get_operation_ast(document, name)
    if operation is None:
        raise RefusedError(
            f'No operation named "{name}"' if name else "An operation name is required"
        )
    fragments = {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    return Query(document, operation, variables, Costs.of(schema, operation, fragments, variables))


def check_costs(query: Query, *, points: int, limit: int, deepest: int) -> None:
    """Raise `RefusedError` with GitLab's texts for a query that costs too much.

    `points`: its complexity and that of the queries before it in a batch.
    """
    problems = []
    if points > limit:
        problems.append(
            f"Query has complexity of {points}, which exceeds max complexity of {limit}"
        )
    if query.costs.depth > deepest:
        problems.append(
            f"Query has depth of {query.costs.depth}, which exceeds max depth of {deepest}"
        )
    if recurring := query.costs.recurring:
        written = ", ".join(f'"{name}"=>{count}' for name, count in recurring.items())
        problems.append(
            f"Recursive query - too many of fields '{{{written}}}' detected\n"
            'in single branch of the query")\n'
        )
    if problems:
        raise RefusedError(*problems)


def execute(schema: GraphQLSchema, query: Query, context: Context) -> Json:
    """Execute a query and return its answer; errors of single fields are in `errors`.

    An error of a resolver's own code is raised.
    """
    result = execute_sync(
        schema,
        query.document,
        context_value=context,
        variable_values=dict(query.variables),
        operation_name=query.operation.name.value if query.operation.name else None,
    )
    errors = result.errors or []
    for error in errors:
        cause = error.original_error
        if cause is not None and not isinstance(cause, GraphQLError):
            raise cause
    answer: Json = {}
    if result.data is not None or any(error.path for error in errors):
        answer["data"] = result.data
    if errors:
        answer["errors"] = [error.formatted for error in errors]
    return answer
