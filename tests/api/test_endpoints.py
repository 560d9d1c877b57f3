"""Method, path, query and body of each endpoint, as GitLab documents them."""

from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest

from gitlab_jobs_async.api import endpoints as to

P = "/projects/g%2Fa"
KEYSET = "pagination=keyset&order_by=id&sort=desc"
REQUESTS = [
    (to.list_jobs("g/a"), "GET", f"{P}/jobs?{KEYSET}&per_page=100", None),
    (to.list_jobs(7, keyset=False), "GET", "/projects/7/jobs?per_page=100", None),
    (to.list_jobs(7, scope="failed", ref="main"), "GET",
     f"/projects/7/jobs?scope[]=failed&ref=main&{KEYSET}&per_page=100", None),
    (to.list_jobs(7, scope=["failed", "manual"]), "GET",
     f"/projects/7/jobs?scope[]=failed&scope[]=manual&{KEYSET}&per_page=100", None),
    (to.list_pipeline_jobs("g/a", 5), "GET",
     f"{P}/pipelines/5/jobs?include_retried=false&per_page=100", None),
    (to.list_pipeline_jobs("g/a", 5, scope="failed", include_retried=True), "GET",
     f"{P}/pipelines/5/jobs?scope[]=failed&include_retried=true&per_page=100", None),
    (to.list_bridges("g/a", 5, scope="manual"), "GET",
     f"{P}/pipelines/5/bridges?scope[]=manual&per_page=100", None),
    (to.get_token_job(), "GET", "/job", None),
    (to.get_allowed_agents(), "GET", "/job/allowed_agents", None),
    (to.get_job("g/a", 9), "GET", f"{P}/jobs/9", None),
    (to.get_trace("g/a", 9), "GET", f"{P}/jobs/9/trace", None),
    (to.get_trace_range("g/a", 9, offset=0, limit=512000), "GET",
     f"{P}/jobs/9/trace?byte_offset=0&byte_limit=512000", None),
    (to.cancel_job("g/a", 9), "POST", f"{P}/jobs/9/cancel", None),
    (to.cancel_job("g/a", 9, force=True), "POST", f"{P}/jobs/9/cancel", {"force": True}),
    (to.retry_job("g/a", 9), "POST", f"{P}/jobs/9/retry", None),
    (to.retry_job("g/a", 9, inputs={"n": 2}), "POST", f"{P}/jobs/9/retry", {"inputs": {"n": 2}}),
    (to.erase_job("g/a", 9), "POST", f"{P}/jobs/9/erase", None),
    (to.play_job("g/a", 9), "POST", f"{P}/jobs/9/play", None),
    (to.play_job("g/a", 9, variables={"K": "V", "L": ""}, inputs={"a": ["x", 1, True]}), "POST",
     f"{P}/jobs/9/play",
     {"job_variables_attributes": [{"key": "K", "value": "V"}, {"key": "L", "value": ""}],
      "job_inputs": {"a": ["x", 1, True]}}),
    (to.list_pipelines("g/a", {}), "GET", f"{P}/pipelines?per_page=100", None),
    (to.list_pipelines("g/a", {"status": "failed", "yaml_errors": False, "sort": "asc"}), "GET",
     f"{P}/pipelines?status=failed&yaml_errors=false&sort=asc&per_page=100", None),
    (to.list_pipelines("g/a", {"updated_after": datetime(2026, 1, 2, tzinfo=UTC)}), "GET",
     f"{P}/pipelines?updated_after=2026-01-02T00:00:00Z&per_page=100", None),
    (to.get_pipeline("g/a", 5), "GET", f"{P}/pipelines/5", None),
    (to.get_artifacts("g/a", 9), "GET", f"{P}/jobs/9/artifacts", None),
    (to.get_artifact_file("g/a", 9, "a b/c.txt"), "GET", f"{P}/jobs/9/artifacts/a%20b/c.txt", None),
    (to.get_latest_artifacts("g/a", "x/y", job="j k"), "GET",
     f"{P}/jobs/artifacts/x%2Fy/download?job=j k", None),
    (to.get_latest_artifact_file("g/a", "x", "a/b", job="j", search_recent=True), "GET",
     f"{P}/jobs/artifacts/x/raw/a/b?job=j&search_recent_successful_pipelines=true", None),
    (to.list_artifacts("g/a", 9), "GET",
     f"{P}/jobs/9/artifacts/tree?recursive=false&per_page=100", None),
    (to.list_artifacts("g/a", 9, path="a", recursive=True), "GET",
     f"{P}/jobs/9/artifacts/tree?path=a&recursive=true&per_page=100", None),
    (to.keep_artifacts("g/a", 9), "POST", f"{P}/jobs/9/artifacts/keep", None),
    (to.delete_artifacts("g/a", 9), "DELETE", f"{P}/jobs/9/artifacts", None),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "method", "target", "json"), REQUESTS)
def test_endpoint_sends_the_documented_request(request_, method, target, json):
    sent, due = urlsplit(request_.target), urlsplit(target)
    assert (request_.method, sent.path, request_.json) == (method, due.path, json)
    assert parse_qsl(sent.query, keep_blank_values=True) == parse_qsl(due.query)
    assert (request_.body is None) == (json is None)


def test_only_get_is_safe_to_repeat():
    assert {request.method for request, *_ in REQUESTS if request.is_safe} == {"GET"}


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        (
            {"colour": "red"},
            "unknown filter 'colour' of pipelines: expected one of scope, status, ref",
        ),
        ({"scope": "failed"}, "unknown scope 'failed': expected one of running, pending, finished"),
        ({"order_by": "name"}, "unknown order_by 'name': expected one of id, status"),
        ({"sort": "up"}, "unknown sort 'up': expected one of asc, desc"),
        ({"status": "cancelled"}, "unknown status 'cancelled'"),
        ({"yaml_errors": "yes"}, "yaml_errors must be True or False, not 'yes'"),
        ({"ref": ""}, "invalid ref '': expected printable text"),
        ({"sha": 7}, "sha must be a string, not 7"),
        ({"created_before": "yesterday"}, "created_before must be a datetime"),
    ],
)
def test_wrong_pipeline_filter_is_refused(filters, said):
    with pytest.raises((TypeError, ValueError), match=said):
        to.list_pipelines(7, filters)


@pytest.mark.parametrize(("offset", "limit"), [(-1, 1), (0, 0), (0, 512_001)])
def test_range_stays_within_the_limit(offset, limit):
    with pytest.raises(ValueError, match="a limit from 1 to 512000"):
        to.get_trace_range(7, 9, offset=offset, limit=limit)


@pytest.mark.parametrize("name", ["cancel_job", "list_pipeline_jobs"])
def test_flag_is_true_or_false(name):
    flags = {"cancel_job": "force", "list_pipeline_jobs": "include_retried"}
    with pytest.raises(TypeError, match="must be True or False, not 'yes'"):
        getattr(to, name)(7, 9, **{flags[name]: "yes"})
