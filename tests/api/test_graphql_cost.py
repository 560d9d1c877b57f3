"""The complexity of queries, by GitLab's formula."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import estimate_complexity
from gitlab_jobs_async.api.graphql_cost import check_complexity

PAGES = """
query($paths: [String!]) {
  projects(fullPaths: $paths, first: 50) { nodes {
    id fullPath pipelines(first: 20) { nodes { id status updatedAt } } } }
}"""
LOOK = """
query($ids: [ID!]) {
  projects(ids: $ids, first: 100) { nodes { id pipelines(first: 5) { nodes {
    id status updatedAt jobs(first: 100) { nodes { %s } } } } } }
}"""


@pytest.mark.parametrize(
    ("query", "points"),
    [
        ("{ a }", 1),
        ("{ a b c: b }", 3),
        ("{ a { b { c } } }", 3),
        ("{ metadata { version } }", 2),
        ("query { project(fullPath: $p) { id fullPath } }", 3),
        (LOOK % "id status retried", 38),
        (PAGES, 16),
        (LOOK % "a b c d e f g h i", 64),
        ("{ pipelines(first: 0) { nodes { id } } }", 4),
        ("{ jobs(first: 20) { nodes { id } } }", 3),
        ("{ jobs(first: 100) { nodes { id } } }", 6),
        ("{ jobs { nodes { id } } }", 6),
        ("{ jobs(first: 5000) { nodes { id } } }", 6),
        ("{ jobs(last: 1, first: 100) { nodes { id } } }", 3),
        ("{ jobs(first: 0) { nodes { id } } }", 3),
        ("{ jobs(first: -9) { nodes { id } } }", 3),
        ("{ jobs(first: null) { edges { node { id } } } }", 8),
        ("{ jobs { pageInfo { endCursor } } }", 6),
        ("{ jobs { count } }", 4),
        ("{ jobs(first: 0) { nodes { count } } }", 3),
        ('{ jobs(ref: "main", first: 0) { nodes { id } } }', 5),
        ('{ jobs(sha: "f00", first: 0) { nodes { id } } }', 5),
        ("{ issues(first: 0) { nodes { id } } }", 4),
        ("{ issues(first: 0, sort: CREATED_ASC) { nodes { id } } }", 4),
        ('{ issues(first: 0, search: "x") { nodes { id } } }', 9),
        ('{ issues(first: 0, labelName: ["x"]) { nodes { id } } }', 6),
        ("{ group { projects(first: 0) { nodes { id } } } }", 14),
        ("{ group { epics(first: 0, iids: [1, 2, 3]) { nodes { id } } } }", 9),
        ('{ a { blobs(first: 0, paths: ["x", "y"]) { nodes { id } } } }', 8),
        ("{ ciConfig { status } }", 127),
        ("{ a { discussions(first: 100) { nodes { id } } } }", 31),
        ("{ a ... on B { c } ...D } fragment D on Query { e f }", 4),
        ("{ jobs(first: 100) { ...P } } fragment P on X { nodes { id } }", 6),
        ("{ jobs(first: 100) { ... on X { nodes { id } } } }", 6),
        ("query A { a } query B { a b } fragment C on Query { d e f }", 2),
        ("{ a @include(if: false) { b } }", 2),
    ],
)
def test_points_of_a_query(query, points):
    assert estimate_complexity(query) == points


@pytest.mark.parametrize(("variables", "points"), [({"n": 100}, 6), ({}, 3), ({"n": None}, 6)])
def test_page_size_may_be_a_variable(variables, points):
    query = "query($n: Int = 20) { jobs(first: $n) { nodes { id } } }"
    assert estimate_complexity(query, variables) == points
    assert estimate_complexity(query) == 3


@pytest.mark.parametrize(("variables", "points"), [({"s": "x"}, 8), ({"s": None}, 3), (None, 3)])
def test_argument_without_a_value_is_free(variables, points):
    query = "query($s: String) { jobs(first: 0, search: $s) { nodes { id } } }"
    assert estimate_complexity(query, variables) == points


def test_forty_aliases_cost_what_gitlab_says():
    alias = 'p%d: project(fullPath: "x") { pipelines(first: 5) { nodes { id status } } }'
    query = "{ " + " ".join(alias % number for number in range(40)) + " }"
    assert estimate_complexity(query) == 240


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("{ ...A }", "unknown fragment 'A': expected one of the query"),
        ("{ ...A } fragment A on B { c ...A }", "fragment 'A' includes itself"),
        ("{ ...A } fragment A on B { ...C } fragment C on B { ...A }", "includes itself"),
        (
            "{ ...F0 } " + " ".join(f"fragment F{n} on B {{ ...F{n + 1} }}" for n in range(200)),
            "nests too deep",
        ),
        ("{", "invalid GraphQL query in line 1"),
    ],
)
def test_invalid_document_has_no_estimate(query, reason):
    with pytest.raises(ValueError, match=reason):
        estimate_complexity(query)


def test_nested_fragments_are_counted_once():
    # Each level doubles the fields: without memory this would take 2 ** 60 steps.
    levels = [f"fragment F{n} on B {{ ...F{n + 1} ...F{n + 1} }}" for n in range(60)]
    query = "{ ...F0 } " + " ".join(levels) + " fragment F60 on B { a }"
    assert estimate_complexity(query) == 2**60


def test_more_than_the_limit_is_refused():
    query = "{ jobs(first: 100) { nodes { id } } }"
    check_complexity(query, None, 6)
    with pytest.raises(ValueError, match="an estimated complexity of 6: expected at most 5"):
        check_complexity(query, None, 5)


FIELDS = st.recursive(
    st.sampled_from(["id", "name", "status"]),
    lambda inner: st.lists(inner, min_size=1, max_size=4).flatmap(
        lambda parts: st.tuples(st.sampled_from(["jobs", "issues", "a"]), st.integers(0, 150)).map(
            lambda named: f"{named[0]}(first: {named[1]}) {{ nodes {{ {' '.join(parts)} }} }}"
        )
    ),
    max_leaves=30,
)


@given(FIELDS)
def test_estimate_is_never_below_the_plain_count(query):
    # A field costs at least 1.
    fields = query.replace("{", " ").replace("}", " ").split()
    count = sum(word.isidentifier() or "(" in word for word in fields)
    assert estimate_complexity(f"{{ {query} }}") >= count
