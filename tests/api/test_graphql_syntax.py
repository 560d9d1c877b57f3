"""The parser of GraphQL documents."""

import graphql
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.api.graphql_syntax import Field, Spread, Variable, parse

EVERYTHING = """\
\ufeff# A comment, with a { brace
query Q($ids: [ID!]! = ["a"], $n: Int = 3 @x, $f: Filter = {a: [1, {b: null}]}) @live {
  projects: all(ids: $ids, first: $n, sort: NAME_ASC, at: 1.5e3, deep: {a: [1, "x"]}) {
    ...Page @include(if: true)
    ... on Project @skip(if: false) { id }
    ... { name }
    ... @x { path }
    text(a: "}", b: \"\"\"block with "quotes" and \\\"\"\" inside\"\"\", on: true)
    on query: mutation
  },
  fragment
}
fragment Page on ProjectConnection { pageInfo { hasNextPage } }
fragment query on Query { echo }
"""


def names(selections):
    return [part.name if isinstance(part, Field) else f"...{part.fragment}" for part in selections]


def test_document_with_all_syntax_is_parsed():
    document = parse(EVERYTHING)
    (operation,) = document.operations
    assert operation.kind == "query"
    assert operation.defaults == {"ids": ["a"], "n": 3, "f": {"a": [1, {"b": None}]}}
    assert names(operation.selections) == ["all", "fragment"]
    projects = operation.selections[0]
    assert projects.arguments == {
        "ids": Variable("ids"),
        "first": Variable("n"),
        "sort": "NAME_ASC",
        "at": "1.5e3",
        "deep": {"a": [1, "x"]},
    }
    inner = ["...Page", "id", "name", "path", "text", "on", "mutation"]
    assert names(projects.selections) == inner
    assert projects.selections[4].arguments["on"] is True
    assert {name: names(rows) for name, rows in document.fragments.items()} == {
        "Page": ["pageInfo"],
        "query": ["echo"],
    }
    assert document.strings == ("a", "x", "}", 'block with "quotes" and \\""" inside')


def test_anonymous_query_is_parsed():
    (operation,) = parse("{a ...B}fragment B on Query{c}").operations
    assert operation.selections == (Field("a", {}), Spread("B"))


@pytest.mark.parametrize(
    ("query", "is_read_only"),
    [
        ("{ a }", True),
        ("query { mutation }", True),
        ("query A { a } query B { b }", True),
        ("mutation { a }", False),
        ("subscription { a }", False),
        ("query A { a } mutation B { b }", False),
        ("#query\nmutation { a }", False),
        ('{ a(text: "mutation { b }") }', True),
    ],
)
def test_only_queries_are_read_only(query, is_read_only):
    assert parse(query).is_read_only is is_read_only


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "line 1: expected an operation"),
        ("# nothing\n", "line 2: expected an operation"),
        ("fragment A on B { c }", "line 1: expected an operation"),
        ("hello", "line 1: expected an operation or a fragment"),
        ("{\n a", "line 2: expected a name"),
        ("{ a(b: ) }", "line 1: expected a value"),
        ("{ a(b c) }", "line 1: expected ':'"),
        ("{ a } }", "expected an operation or a fragment"),
        ("query ($a Int) { b }", "expected ':'"),
        ("query ($a: [Int) { b }", "expected ']'"),
        ("fragment A { c }", "expected 'on'"),
        ('{ a(b: "open) }', "expected GraphQL"),
        ('{ a(b: """open") }', "expected GraphQL"),
        ("{ a; }", "expected GraphQL"),
        ("{ a(b: [" + "[" * 80, "expected at most 64 levels"),
        ("{ a" * 80, "expected at most 64 levels"),
        ("{ a(b: " + "{c: " * 80, "expected at most 64 levels"),
    ],
)
def test_other_text_is_refused(query, reason):
    with pytest.raises(ValueError, match="invalid GraphQL query in line") as refused:
        parse(query)
    assert reason in str(refused.value)


def test_error_shows_no_text_of_the_query():
    with pytest.raises(ValueError, match=r"^invalid GraphQL query in line 1: expected ':'$"):
        parse('{ a(token "glpat-secret") }')


def test_length_is_limited_as_by_gitlab():
    longest = "{ a }" + " " * 9_995
    assert parse(longest)
    with pytest.raises(ValueError, match=r"query of 10001 characters: GitLab accepts .* 10000"):
        parse(longest + " ")


@pytest.mark.parametrize("query", [b"{ a }", None, 1])
def test_query_of_another_type_is_refused(query):
    with pytest.raises(TypeError, match="query must be a string, not"):
        parse(query)


def parsed_by_judge(text):
    """Return the fields and kinds that graphql-core reads, or None for an invalid document."""
    try:
        tree = graphql.parse(text)
    except graphql.GraphQLError:
        return None
    fields, kinds = [], []

    class Reader(graphql.Visitor):
        def enter_field(self, node, *_):
            fields.append((node.name.value, [one.name.value for one in node.arguments or ()]))

        def enter_operation_definition(self, node, *_):
            kinds.append(node.operation.value)

    graphql.visit(tree, Reader())
    return fields, kinds


def fields_of(selections):
    for part in selections:
        if isinstance(part, Field):
            yield part.name, list(part.arguments)
            yield from fields_of(part.selections)


NAMES = st.sampled_from(["a", "on", "query", "fragment", "mutation", "true", "null", "_x1"])
VALUES = st.recursive(
    st.sampled_from(
        ["1", "-2.5e3", "$v", "true", "null", "ENUM", '"s"', '"{\\""', '"""b " \n"""', '""']
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda all_: f"[{' '.join(all_)}]")
        | st.lists(st.tuples(NAMES, inner), max_size=2).map(
            lambda pairs: "{" + ", ".join(f"{n}: {v}" for n, v in pairs) + "}"
        )
    ),
    max_leaves=5,
)
ARGUMENTS = st.lists(st.tuples(NAMES, VALUES), max_size=2).map(
    lambda pairs: "(" + " ".join(f"{n}: {v}" for n, v in pairs) + ")" if pairs else ""
)
DIRECTIVES = st.just("") | st.tuples(NAMES, ARGUMENTS).map(lambda d: f" @{d[0]}{d[1]} ")
BLOCKS = st.deferred(
    lambda: st.lists(FIELD | SPREAD | INLINE, min_size=1, max_size=3).map(
        lambda parts: "{ " + "\n".join(parts) + " }"
    )
)
FIELD = st.tuples(
    st.just("") | NAMES.map("{}: ".format), NAMES, ARGUMENTS, DIRECTIVES, st.just("") | BLOCKS
).map("".join)
SPREAD = st.tuples(st.just("..."), NAMES.filter(lambda n: n != "on"), DIRECTIVES).map("".join)
INLINE = st.tuples(
    st.just("... "), st.just("") | NAMES.map("on {}".format), DIRECTIVES, BLOCKS
).map("".join)
HEADS = st.sampled_from(["", "query", "mutation M", "query Q($v: [Int!]! = [1] @d)", "query @d"])
PARTS = st.tuples(HEADS, BLOCKS).map(" ".join) | st.tuples(
    st.just("fragment "), NAMES.filter(lambda n: n != "on"), st.just(" on X"), DIRECTIVES, BLOCKS
).map("".join)


@given(st.lists(PARTS, min_size=1, max_size=3).map("\n".join))
def test_valid_document_is_read_as_by_the_judge(text):
    judged = parsed_by_judge(text)
    assert judged is not None
    fields, kinds = judged
    if not kinds:
        with pytest.raises(ValueError, match="expected an operation"):
            parse(text)
        return
    document = parse(text)
    assert [operation.kind for operation in document.operations] == kinds
    # Of two fragments with one name, which is invalid, the parser keeps the last one.
    if len(document.fragments) + len(kinds) == len(graphql.parse(text).definitions):
        parts = [*document.operations, *document.fragments.values()]
        own = [found for part in parts for found in fields_of(getattr(part, "selections", part))]
        assert sorted(own) == sorted((name, list(dict.fromkeys(given))) for name, given in fields)


PIECES = ['"', '""', '"""', "\\", "#", "\n", "{", "}", "(", ")", "[", "]", "$", "!", ":", "=", "@"]
PIECES += ["...", "on", "query", "fragment", "a", "-1", "1.5", "null", " ", ",", "é", "\x00"]


@given(st.lists(st.sampled_from(PIECES)).map("".join) | st.text())
def test_any_text_is_parsed_or_refused(text):
    try:
        assert parse(text).operations
    except ValueError as error:
        refused = str(error)
    else:
        return
    assert refused.startswith("invalid GraphQL query in line")
    judged = parsed_by_judge(text)
    assert judged is None or not judged[1]


@pytest.mark.parametrize(
    "piece", ['"', '"""', '\\"""', '"\\', '""" "', "[", "{a(", "{", "#", " ", ",", "1", "a", "..."]
)
def test_parser_is_linear_in_hostile_text(piece):
    # An exponential or quadratic expression would exceed the timeout of a test.
    for start in ("", "{ a(b: ", '{ a(b: """'):
        with pytest.raises(ValueError, match="invalid GraphQL query"):
            parse((start + piece * 10_000)[:10_000])
