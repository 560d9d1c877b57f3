"""The parser of GraphQL documents."""

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


@pytest.mark.parametrize(
    "piece", ['"', '"""', '\\"""', '"\\', '""" "', "[", "{a(", "{", "#", " ", ",", "1", "a", "..."]
)
def test_parser_is_linear_in_hostile_text(piece):
    # An exponential or quadratic expression would exceed the timeout of a test.
    for start in ("", "{ a(b: ", '{ a(b: """'):
        with pytest.raises(ValueError, match="invalid GraphQL query"):
            parse((start + piece * 10_000)[:10_000])
