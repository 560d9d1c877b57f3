"""Complexity, depth and size of a GraphQL query (app/graphql/types/base_field.rb)."""

import pytest

from gitlab_jobs_async.simulator import GraphqlSettings

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


def app(fields):
    return f'project(fullPath: "group/app") {{ {fields} }}'


def nested_pipelines(times):
    """Return a query for a project's pipelines' project, and so on."""
    inner = "id"
    for _ in range(times):
        inner = f"pipelines(first: 1) {{ nodes {{ project {{ {inner} }} }} }}"
    return f"{{ {app(inner)} }}"


async def score(graphql, fields, *, declared="", more="", **options):
    answer = (await graphql(f"query Q{declared} {{ {SCORE} {fields} }} {more}", **options)).json
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
    """Ids multiply as every other page does. The question for the score costs three points."""
    found = await score(graphql, fields, declared="($ids: [ID!])", ids=[])
    assert found == {"score": points + SCORE_POINTS, "limit": 300}


async def test_each_alias_costs_its_points(graphql):
    assert (await score(graphql, aliases(40)))["score"] == 240 + SCORE_POINTS


@pytest.mark.parametrize(
    ("fields", "points"),
    [
        ("metadata { version }", 2),
        ("currentUser { id username }", 3),
        ("__typename", 1),
        ("projects { nodes { id } }", 6),  # (1 + 1 + 1) x 2: a page is 100 without `first`
        ("projects(first: 1000) { nodes { id } }", 6),
        ("projects(last: 10) { nodes { id } }", 3),
        ("projects(first: -1) { nodes { id } }", 3),
        ('projects(first: 1, search: "a") { nodes { id } }', 8),
        (app("pipelines(first: 1) { nodes { id } }"), 5),
        (app('pipelines(first: 1, ref: "a") { nodes { id } }'), 7),
        (app('pipelines(first: 1, ref: "a", sha: "b") { nodes { id } }'), 9),
        (app("pipelines(first: 1, ref: null) { nodes { id } }"), 5),
        (app("id id fullPath"), 3),
        (app("id again: id"), 3),
        (app('id pipeline(iid: "1") { id }'), -6),  # GitLab subtracts ten points
        (app("... on Project { id } ...F"), 3),
        (app("id @skip(if: true) fullPath @include(if: false) name"), 2),
        (app("jobs(first: 10) { edges { cursor } pageInfo { endCursor } }"), 6),
        (
            app("jobs(first: 1) { nodes { pipeline { id ... on Pipeline { status } } } }"),
            6,
        ),
    ],
)
async def test_points_of_fields(graphql, fields, points):
    more = "fragment F on Project { fullPath }" if "...F" in fields else ""
    found = await score(graphql, fields, more=more)
    assert found["score"] == points + SCORE_POINTS


@pytest.mark.parametrize(("first", "points"), [(None, 6), (10, 3), (100, 6)])
async def test_page_size_may_be_a_variable(graphql, first, points):
    found = await score(
        graphql, "projects(first: $n) { nodes { id } }", declared="($n: Int)", n=first
    )
    assert found["score"] == points + SCORE_POINTS


async def test_default_of_a_variable_counts(graphql):
    found = await score(graphql, "projects(first: $n) { nodes { id } }", declared="($n: Int = 10)")
    assert found["score"] == 3 + SCORE_POINTS


@pytest.mark.parametrize(("token", "limit"), [(None, 200), ("glpat-bob", 250), ("glpat-root", 300)])
async def test_complexity_limit_follows_the_caller(graphql, token, limit):
    fitting = limit // 6
    assert "data" in (await graphql(f"{{ {aliases(fitting)} }}", token=token)).json
    refused = await graphql(f"{{ {aliases(fitting + 1)} }}", token=token)
    assert refused.status == 200
    points = (fitting + 1) * 6
    message = f"Query has complexity of {points}, which exceeds max complexity of {limit}"
    assert refused.json == {"errors": [{"message": message}]}


async def test_complexity_limit_is_a_setting(serve, world):
    api = await serve(world, graphql=GraphqlSettings(max_complexity=10))
    assert "data" in (await api.graphql(f"{{ {aliases(1)} }}")).json
    (error,) = (await api.graphql(f"{{ {aliases(2)} }}")).json["errors"]
    assert error["message"] == "Query has complexity of 12, which exceeds max complexity of 10"


@pytest.mark.parametrize(("token", "deepest"), [(None, 15), ("glpat-bob", 20)])
async def test_depth_limit_follows_the_caller(graphql, token, deepest):
    inner = "__typename"
    for _ in range(deepest):
        inner = f"edges {{ node {{ downstream(first: 0) {{ {inner} }} }} }}"
    text = f"{{ {app(f'pipelines(first: 0) {{ {inner} }}')} }}"
    errors = (await graphql(text, token=token)).json["errors"]
    depth = 3 + 3 * deepest
    assert f"Query has depth of {depth}, which exceeds max depth of {deepest}" in [
        error["message"] for error in errors
    ]


async def test_recurring_fields_are_refused(graphql):
    """A field may occur twice in one branch, not three times."""
    assert "data" in (await graphql(nested_pipelines(1))).json
    (error,) = (await graphql(nested_pipelines(2))).json["errors"]
    assert error["message"].startswith("Recursive query - too many of fields '{")
    assert '"project"=>3' in error["message"]


async def test_long_queries_are_refused(graphql):
    """The limit is 10,000 characters of text; variables do not count."""
    text = "query Q($ids: [ID!]) { projects(ids: $ids) { count } }"
    ids = [f"gid://gitlab/Project/{number}" for number in range(1000)]
    assert "data" in (await graphql(text.ljust(10_000), ids=ids)).json
    refused = await graphql(text.ljust(10_001), ids=ids)
    assert (refused.status, refused.json) == (422, {"errors": [{"message": "Query too large"}]})


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "{ nothing }",
            {
                "message": "Field 'nothing' doesn't exist on type 'Query'",
                "locations": [{"line": 1, "column": 3}],
                "extensions": {"code": "undefinedField"},
            },
        ),
        (
            "{ projects(hidden: true) { count } }",
            {
                "message": "Field 'projects' doesn't accept argument 'hidden'",
                "locations": [{"line": 1, "column": 12}],
                "extensions": {"code": "argumentNotAccepted"},
            },
        ),
        ("", {"message": "Unexpected end of document"}),
    ],
)
async def test_invalid_queries(graphql, text, error):
    reply = await graphql(text)
    assert (reply.status, reply.json) == (200, {"errors": [error]})


async def test_syntax_errors_have_no_data(graphql):
    reply = await graphql("{ projects ")
    assert reply.status == 200
    assert reply.json.keys() == {"errors"}


async def test_job_pipeline_has_few_fields(graphql):
    """`CiJob.pipeline` is an interface without a status; a fragment on Pipeline has it."""
    text = f"{{ {app('jobs(first: 1) { nodes { pipeline { FIELDS } } }')} }}"
    refused = (await graphql(text.replace("FIELDS", "status"))).json
    message = "Field 'status' doesn't exist on type 'PipelineInterface'"
    assert refused["errors"][0]["message"] == message
    found = (await graphql(text.replace("FIELDS", "id ... on Pipeline { status }"))).json
    (job,) = found["data"]["project"]["jobs"]["nodes"]
    assert job["pipeline"] == {"id": "gid://gitlab/Ci::Pipeline/2", "status": "RUNNING"}
