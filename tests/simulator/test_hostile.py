"""Hostile and odd requests to every endpoint: answers of GitLab, no error of our own."""

import unittest
from urllib.parse import quote

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gitlab_jobs_async.simulator import SimulatorSettings, default_world
from gitlab_jobs_async.simulator.api.application import ENDPOINTS, Application
from gitlab_jobs_async.simulator.api.calls import Request

NOW = 1_750_000_000.0
ODD = [
    "", " ", "0", "1", "-1", "2", "99", "1e9", "9" * 30, "true", "null", "é", "\u0661", "..",
    "../x", "a/b", "%", "\0", "\udcff", "group/app", "keyset", "failed", "main", "compile",
    "2025-06-15T15:06:40Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "coverage",
    "reports/junit.xml", "eyJfa2QiOiJwIn0=", "<script>", "' OR 1=1",
]  # fmt: skip
NAMES = [
    "page", "per_page", "pagination", "cursor", "order_by", "sort", "scope", "ref", "id", "job_id",
    "status", "source", "sha", "name", "username", "yaml_errors", "updated_after", "created_before",
    "include_retried", "byte_offset", "byte_limit", "force", "inputs", "job_inputs", "path",
    "job_variables_attributes", "recursive", "job", "search", "membership", "private_token",
    "search_recent_successful_pipelines",
]  # fmt: skip
texts = st.one_of(st.sampled_from(ODD), st.text(max_size=4))
keys = st.tuples(
    st.sampled_from(NAMES), st.sampled_from(["", "", "", "[]", "[k]", "[][k]", "[0][key]", "["])
).map("".join)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(allow_nan=False), texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["key", "value"]), inner)
    ),
    max_leaves=4,
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "private-token": st.sampled_from(["glpat-root", "glpat-bob", "x", "é"]),
        "authorization": st.sampled_from(["Bearer glpat-root", "Bearer", "Basic \0", ""]),
        "job-token": st.sampled_from(["x", ""]),
        "content-type": st.sampled_from(
            ["application/json", "application/x-www-form-urlencoded", "text/plain", ""]
        ),
        "range": st.sampled_from(["bytes=0-", "bytes=-0", "bytes=5-1", "x"]),
        "if-none-match": st.sampled_from(["*", 'W/"x"', ""]),
        "accept-encoding": st.sampled_from(["gzip", "gzip;q=0", ";;"]),
    },
)


@settings(max_examples=250, deadline=None)
@given(
    st.sampled_from(ENDPOINTS),
    st.lists(texts, min_size=3, max_size=3),
    st.lists(st.tuples(keys, texts), max_size=4),
    headers,
    st.binary(max_size=30) | st.just(b'{"inputs":[],"job_variables_attributes":{"0":1}}'),
    st.sampled_from(["15.0", "18.0", "19.5"]),
)
@example(
    ("GET", "projects/:id/pipelines"),
    ["1"] * 3,
    [("updated_after", "0001-01-01T00:00:00+23:59")],
    {"private-token": "glpat-root"},
    b"",
    "19.5",
)
def test_hostile_paths_raise_no_error(endpoint, parts, query, sent, body, version):
    method, pattern = endpoint
    values = iter(parts)
    segments = [
        quote(next(values, "1").encode("utf-8", "surrogateescape"), safe="")
        if part.startswith((":", "*"))
        else part
        for part in pattern.split("/")
    ]
    request = Request(method, "/api/v4/" + "/".join(segments), tuple(query), sent, body)
    options = SimulatorSettings(version=version, archived_ranges=True, gzip=True)
    application = Application(default_world(NOW), options, "http://gitlab", "http://storage")
    with unittest.TestCase().assertNoLogs("gitlab_jobs_async.simulator"):
        answer = application.answer(request, NOW)
    assert b"".join(answer.body.pieces()) or answer.status in {200, 201, 204, 206, 302, 304, 416}


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from([endpoint for endpoint in ENDPOINTS if endpoint[0] != "GET"]),
    st.dictionaries(st.sampled_from(NAMES), json_values, max_size=3),
)
def test_hostile_bodies_raise_no_error(endpoint, value):
    method, pattern = endpoint
    path = pattern.replace(":id", "1").replace(":job_id", "4").replace(":pipeline_id", "1")
    body = orjson.dumps(_sendable(value))
    sent = {"private-token": "glpat-root", "content-type": "application/json"}
    application = Application(
        default_world(NOW), SimulatorSettings(), "http://gitlab", "http://storage"
    )
    with unittest.TestCase().assertNoLogs("gitlab_jobs_async.simulator"):
        answer = application.answer(Request(method, f"/api/v4/{path}", (), sent, body), NOW)
    assert answer.status != 500


def _sendable(value):
    """JSON has no half of a pair."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_sendable(item) for item in value]
    if isinstance(value, dict):
        return {name: _sendable(item) for name, item in value.items()}
    return value


@pytest.mark.parametrize(
    ("call", "status", "body"),
    [
        (
            "GET /projects/99/pipelines?scope=x",
            400,
            b'{"error":"scope does not have a valid value"}',
        ),
        ("GET /projects/1/pipelines/99/jobs?scope=x", 400, b'{"error":"scope does not'),
        ("GET /projects/99/pipelines?ref[]=x", 400, b'{"error":"ref is invalid"}'),
        ("GET /projects/99/pipelines?page=x", 400, b'{"error":"page is invalid"}'),
        ("GET /projects/1/jobs/x", 400, b'{"error":"job_id is invalid"}'),
    ],
)
async def test_parameters_are_checked_before_rows(api, call, status, body):
    reply = await api(call)
    assert reply.status == status
    assert reply.body.startswith(body)


async def test_strangers_are_refused_before_checks(api):
    assert (await api("GET /projects/1/jobs/x", token=None)).status == 401
    assert (await api("GET /projects/1/jobs?scope=x", token=None)).status == 401


async def test_nul_in_a_body_is_refused_as_text(api, job):
    path = f"/projects/1/jobs/{job('deploy').id}/play"
    given_variables = {"job_variables_attributes": [{"key": "A", "value": "x\0"}]}
    reply = await api(f"POST {path}", json=given_variables)
    assert (reply.status, reply.body) == (400, b"Bad Request")
