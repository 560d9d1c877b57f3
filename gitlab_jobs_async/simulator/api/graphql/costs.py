"""Complexity, depth and recursion of a query, computed before it runs.

Follows app/graphql/types/base_field.rb, app/graphql/resolvers/base_resolver.rb,
graphql-ruby's QueryComplexity (in its legacy mode) and QueryDepth, and
lib/gitlab/graphql/query_analyzers/ast/recursion_analyzer.rb.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from attrs import field, frozen
from graphql import (
    BooleanValueNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    NullValueNode,
    OperationDefinitionNode,
    SelectionNode,
    ValueNode,
    VariableNode,
    get_named_type,
)

from gitlab_jobs_async.simulator.api.graphql.pages import page_size

_RECURSION_LIMIT: Final = 2
_MAY_RECUR: Final = frozenset({"node", "edges", "nodes", "ofType"})
_PER_ROW: Final = 0.01
_GITALY: Final = 1


@frozen(kw_only=True)
class _Resolver:
    """A field with a resolver: its own points, more of them by argument, and its kind."""

    points: int = 1
    arguments: Mapping[str, int] = field(factory=dict[str, int])
    is_connection: bool = False


_RESOLVERS: Final = {
    ("Query", "metadata"): _Resolver(),
    ("Query", "project"): _Resolver(),
    ("Query", "projects"): _Resolver(arguments={"search": 5}, is_connection=True),
    ("Project", "pipelines"): _Resolver(
        points=1 + _GITALY, arguments={"sha": 2, "ref": 2}, is_connection=True
    ),
    # GitLab subtracts ten points here, so that a query may cost less with the field.
    ("Project", "pipeline"): _Resolver(points=1 - 10),
    ("Project", "jobs"): _Resolver(is_connection=True),
    ("Pipeline", "jobs"): _Resolver(is_connection=True),
}


@frozen
class Costs:
    """The costs of a query.

    Attributes:
        complexity: its points.
        depth: the largest number of fields within each other.
        recurring: fields that occur too often within each other, each with its number.
    """

    complexity: int
    depth: int
    recurring: Mapping[str, int]

    @classmethod
    def of(
        cls,
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Mapping[str, object],
    ) -> "Costs":
        """Compute the costs of an operation."""
        defaults = {
            definition.variable.name.value: _value(definition.default_value, {})
            for definition in operation.variable_definitions or ()
            if definition.default_value is not None
        }
        walk = _Walk(schema, fragments, {**defaults, **variables})
        root, selections = schema.query_type, operation.selection_set.selections
        recurring: dict[str, int] = {}
        walk.recurring(selections, {}, recurring)
        return cls(walk.cost(root, [selections]) if root else 0, walk.depth(selections), recurring)


@frozen
class _Walk:
    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, object]

    def fields(self, selections: Sequence[SelectionNode]) -> Iterator[FieldNode]:
        """Yield the fields of a selection, through its fragments and without skipped ones."""
        for node in selections:
            if not self._is_included(node):
                continue
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                yield from self.fields(node.selection_set.selections)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self.fragments[node.name.value]
                yield from self.fields(fragment.selection_set.selections)

    def _is_included(self, node: SelectionNode) -> bool:
        for directive in node.directives or ():
            wanted = {"skip": False, "include": True}.get(directive.name.value)
            given = [_value(one.value, self.variables) for one in directive.arguments or ()]
            if wanted is not None and given and given[0] is not wanted:
                return False
        return True

    def cost(self, parent: GraphQLObjectType, selections: Sequence[Sequence[SelectionNode]]) -> int:
        """Return the points of selections on one object."""
        # Fields of the same response name are one field; aliases make several.
        merged: dict[str, list[FieldNode]] = {}
        for node in (node for one in selections for node in self.fields(one)):
            name = node.alias.value if node.alias else node.name.value
            merged.setdefault(name, []).append(node)
        return sum(self._field_cost(parent, nodes) for nodes in merged.values())

    def _field_cost(self, parent: GraphQLObjectType, nodes: Sequence[FieldNode]) -> int:
        name = nodes[-1].name.value
        definition = parent.fields.get(name)
        children = 0
        if definition is not None:
            kind: object = get_named_type(definition.type)
            if isinstance(kind, GraphQLInterfaceType):
                # Each interface here has one type.
                kind = self.schema.get_possible_types(kind)[0]
            inner = [node.selection_set.selections for node in nodes if node.selection_set]
            children = self.cost(kind, inner) if isinstance(kind, GraphQLObjectType) else 0
        resolver = _RESOLVERS.get((parent.name, name))
        if resolver is None:
            return children + 1
        given = {
            argument.name.value: _value(argument.value, self.variables)
            for argument in nodes[-1].arguments or ()
        }
        extra = sum(points for name, points in resolver.arguments.items() if given.get(name))
        cost = children + resolver.points + extra
        return int(cost + cost * page_size(given) * _PER_ROW) if resolver.is_connection else cost

    def depth(self, selections: Sequence[SelectionNode]) -> int:
        """Return the largest number of fields within each other."""
        inner = (
            self.depth(node.selection_set.selections) if node.selection_set else 0
            for node in self.fields(selections)
        )
        return 1 + max(inner, default=-1)

    def recurring(
        self, selections: Sequence[SelectionNode], above: Mapping[str, int], found: dict[str, int]
    ) -> None:
        """Collect the fields with a selection that occur too often in one branch."""
        for node in self.fields(selections):
            if node.selection_set is None:
                continue
            name = node.name.value
            count = above.get(name, 0) + 1
            if count > _RECURSION_LIMIT and name not in _MAY_RECUR:
                found[name] = count
            self.recurring(node.selection_set.selections, {**above, name: count}, found)


def _value(node: ValueNode, variables: Mapping[str, object]) -> object:
    """Return the value of an argument; of kinds that cost nothing only whether there is one."""
    if isinstance(node, VariableNode):
        return variables.get(node.name.value)
    if isinstance(node, IntValueNode):
        return int(node.value)
    if isinstance(node, BooleanValueNode):
        return node.value
    return not isinstance(node, NullValueNode)
