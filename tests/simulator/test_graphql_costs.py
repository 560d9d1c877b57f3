"""Complexity, depth and size of a GraphQL query (app/graphql/types/base_field.rb)."""

import pytest

JOB_FIELDS = "id name status startedAt finishedAt duration allowFailure retried kind"
THREE = "id status retried"
SCORE = "queryComplexity { score limit }"
SCORE_POINTS = 3


def projects(fields, *, first=100):
    return f"projects(ids: $ids, first: {first}) {{ nodes {{ {fields} }} }}"


def jobs(fields):
    return f"jobs(first: 100) {{ nodes {{ {fields} }} }}"


def pipelines(fields, *, first=5):
    return f"pipelines(first: {first}) {{ nodes {{ id status {fields} }} }}"


def aliases(number):
    return " ".join(
        f'p{n}: project(fullPath: "group/app{n}") {{ {pipelines("")} }}' for n in range(number)
    )


async def score(graphql, fields, *, declared="($ids: [ID!])", **options):
    answer = (await graphql(f"query Q{declared} {{ {SCORE} {fields} }}", **options)).json
    assert "errors" not in answer
    return answer["data"]["queryComplexity"]


@pytest.mark.parametrize(
    ("fields", "points"),
    [
        (projects(f"id {pipelines('updatedAt')}"), 18),
        (projects(f"id {pipelines(f'updatedAt {jobs(THREE)}')}"), 38),
        (projects(f"id {pipelines(f'updatedAt {jobs(JOB_FIELDS)}')}"), 64),
        (projects(f"id fullPath {pipelines('updatedAt', first=20)}", first=50), 16),
        (projects(f"id {pipelines(f'updatedAt {jobs(THREE)}', first=100)}"), 70),
    ],
)
async def test_complexity_of_known_queries(graphql, fields, points):
    """Asking for the score costs three points itself. Ids multiply as every other page does."""
    found = await score(graphql, fields, ids=[])
    assert found == {"score": points + SCORE_POINTS, "limit": 300}


async def test_each_alias_costs_its_points(graphql):
    assert (await score(graphql, aliases(40), declared=""))["score"] == 240 + SCORE_POINTS


@pytest.mark.parametrize(("token", "limit"), [(None, 200), ("glpat-bob", 250), ("glpat-root", 300)])
async def test_complexity_limit_follows_the_caller(graphql, token, limit):
    fitting, number = limit // 6, limit // 6 + 1
    assert "data" in (await graphql(f"{{ {aliases(fitting)} }}", token=token)).json
    refused = await graphql(f"{{ {aliases(number)} }}", token=token)
    assert refused.status == 200
    message = f"Query has complexity of {number * 6}, which exceeds max complexity of {limit}"
    assert refused.json == {"errors": [{"message": message}]}
