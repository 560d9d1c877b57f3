"""Verdicts by the answers of a server, and the exit code that they give."""

import pytest

from gitlab_jobs_async.cli.doctor.check import Verdict
from gitlab_jobs_async.cli.doctor.checks import checks_of, exit_code
from gitlab_jobs_async.cli.doctor.findings import Findings, Problem, Reply

LINK = {"link": '<https://h/api/v4/projects/1/jobs?cursor=x>; rel="next"'}
THROTTLE = "throttle_authenticated_api"
NEXT = {**LINK, "x-next-cursor": "x"}


def good(value=None, headers=None, status=200, size=0, seconds=0.1):
    return Reply(status, headers or {}, value, size, seconds, Problem.NONE)


def failed(status):
    return Reply(status, problem=Problem.NONE)


def rows(*ids):
    return [{"id": number} for number in ids]


def replies(version="19.5.0", **changed):
    """Answers of a GitLab of *version*, some of them *changed*."""
    usual = {
        "version": good({"version": version}),
        "metadata": good({"version": version, "enterprise": True}),
        "token": good({"scopes": ["read_api"]}),
        "user": good({"username": "ada"}),
        "projects": good(rows(1, 2)),
        "jobs": good(rows(*range(30, 20, -1)), NEXT),
        "last": good(rows(*range(10, 0, -1))),
        "below": failed(500),
        "offset": good(rows(30), {"link": "<x>", "x-next-page": "2"}),
        "trace": good(None, {"etag": "e"}, size=1),
        "trace again": failed(304),
        "job": good({}, {"etag": "e"}),
        "job again": failed(304),
    }
    return usual | {name.replace("_", " "): reply for name, reply in changed.items()}


def findings(version="19.5.0", named=False, **changed):
    return Findings(
        replies=replies(version, **changed),
        project=1,
        named_project=1 if named else None,
        project_ids=[1, 2],
        job_status="success",
    )


def check(found, name):
    (one,) = [check for check in checks_of(found) if check.name == name]
    return one


def test_expected_answers_are_no_difference():
    verdicts = {one.name: one.verdict for one in checks_of(findings())}
    unknown = {name for name, verdict in verdicts.items() if verdict is Verdict.UNKNOWN}
    assert unknown == {
        "GraphQL, 1 project", "GraphQL, 10 projects", "GraphQL, 50 projects", "updatedAt",
    }  # fmt: skip
    assert Verdict.DIFFERS not in verdicts.values()
    assert exit_code(findings(), checks_of(findings())) == 0


@pytest.mark.parametrize(
    ("name", "version", "changed", "seen", "verdict"),
    [
        ("version", "14.9.1", {}, "14.9.1", "differs"),
        ("version", "15.11.3", {}, "15.11.3", "differs"),
        ("version", "evil <script>", {}, "other text", "unknown"),
        ("metadata", "15.1.0", {"metadata": failed(404)}, "HTTP 404", "as expected"),
        ("metadata", "15.2.0", {"metadata": failed(404)}, "HTTP 404", "differs"),
        ("metadata", "18.0.0", {}, "200, enterprise", "as expected"),
        ("token", "18.0.0", {}, "personal token", "as expected"),
        ("token", "18.0.0", {"user": good({"username": "project_17_bot_3af"})}, "project token",
         "as expected"),
        ("token", "18.0.0", {"user": good({"username": "group_1_bot"})}, "group token",
         "as expected"),
        ("token", "18.0.0", {"token": failed(400)}, "OAuth token", "as expected"),
        ("token", "18.0.0", {"user": failed(403)}, "personal, project or group token",
         "as expected"),
        ("token", "15.0.0", {"token": failed(404)}, "not a job token", "as expected"),
        ("token", "18.0.0", {"token": failed(404)}, "HTTP 404", "unknown"),
        ("scopes", "18.0.0", {"token": good({"scopes": ["api", "sudo"]})}, "api, sudo",
         "as expected"),
        ("scopes", "18.0.0", {"token": good({"scopes": ["read_user"]})}, "read_user", "differs"),
        ("scopes", "18.0.0", {"token": good({"scopes": []})}, "none", "differs"),
        ("scopes", "18.0.0", {"token": good({"scopes": ["granular"]})}, "granular", "unknown"),
        ("scopes", "18.0.0", {"token": good({})}, "other JSON", "unknown"),
        ("scopes", "18.0.0", {"token": failed(404)}, "HTTP 404", "unknown"),
        ("projects", "18.0.0", {"projects": good([])}, "0", "unknown"),
        ("projects", "18.0.0", {"projects": good(rows(*range(1, 101)))}, "100 or more",
         "as expected"),
        ("projects", "18.0.0", {"projects": failed(500)}, "HTTP 500", "unknown"),
        ("rate limit headers", "18.0.0", {}, "none", "as expected"),
        ("rate limit headers", "18.0.0",
         {"job": good({}, {"ratelimit-limit": "2000", "ratelimit-name": THROTTLE})},
         "2000 a minute, throttle_authenticated_api", "as expected"),
        ("rate limit headers", "18.0.0",
         {"job": good({}, {"ratelimit-limit": "60", "ratelimit-name": "the acme gateway"})},
         "60 a minute", "as expected"),
        ("rate limit headers", "18.0.0", {"job": good({}, {"ratelimit-limit": "many"})},
         "no number", "differs"),
        ("list jobs", "18.0.0", {"jobs": failed(403)}, "HTTP 403", "unknown"),
        ("list jobs", "18.0.0", {"jobs": failed(403), "named": True}, "HTTP 403", "differs"),
        ("list jobs", "18.0.0", {"jobs": good([])}, "200, no jobs", "as expected"),
        ("list jobs", "18.0.0", {"jobs": Reply(problem=Problem.LOST)}, "no complete answer",
         "unknown"),
        ("order of jobs", "18.0.0", {"jobs": good(rows(1, 2, 3))}, "another order", "differs"),
        ("order of jobs", "18.0.0", {"jobs": good(rows(3, 3, 2))}, "another order", "differs"),
        ("order of jobs", "18.0.0", {"jobs": good(rows(3))}, "1 job", "unknown"),
        ("next page", "18.0.0", {"jobs": good(rows(2, 1)), "last": good(rows(2, 1))}, "one page",
         "unknown"),
        ("next page", "18.0.0", {"jobs": good(rows(*range(30, 20, -1)))}, "no Link", "differs"),
        ("next page", "15.8.0",
         {"jobs": good(rows(*range(30, 20, -1)), {"link": '<x?page=2>; rel="next"'})},
         "Link by offset", "as expected"),
        ("next page", "18.0.0",
         {"jobs": good(rows(*range(30, 20, -1)), {"link": '<x?page=2>; rel="next"'})},
         "Link by offset", "differs"),
        ("X-Next-Cursor", "19.5.0", {"jobs": good(rows(*range(30, 20, -1)), LINK)}, "not sent",
         "differs"),
        ("X-Next-Cursor", "18.3.0", {"jobs": good(rows(*range(30, 20, -1)), LINK)}, "not sent",
         "as expected"),
        ("X-Next-Cursor", "17.0.0", {"jobs": good(rows(*range(30, 20, -1)), LINK)}, "not sent",
         "as expected"),
        ("last page", "18.0.0", {"last": failed(400)}, "HTTP 400", "differs"),
        ("last page", "18.0.0", {"last": failed(429)}, "HTTP 429", "unknown"),
        ("last page", "18.0.0", {"last": good(rows(*range(30, 20, -1)), NEXT)}, "other jobs",
         "differs"),
        ("last page", "18.0.0", {"last": good(rows(30, 29, 21))}, "other jobs", "differs"),
        ("last page", "18.0.0", {"last": good(rows(2, 1), NEXT)}, "other jobs", "differs"),
        ("last page", "15.5.0", {"last": good(rows(30, 29), LINK)}, "ignored", "as expected"),
        ("below the last job", "19.5.0", {"below": good([])}, "200, no job", "differs"),
        ("below the last job", "18.3.0", {"below": good([])}, "200, no job", "as expected"),
        ("below the last job", "17.0.0", {"below": good([])}, "200, no job", "as expected"),
        ("below the last job", "17.0.0", {}, "500", "differs"),
        ("below the last job", "19.5.0", {"below": good(rows(30, 29))}, "jobs", "differs"),
        ("below the last job", "15.5.0", {"below": good(rows(30, 29))}, "ignored", "as expected"),
        ("below the last job", "19.5.0", {"below": failed(400)}, "HTTP 400", "differs"),
        ("below the last job", "19.5.0", {"below": Reply(problem=Problem.LIMIT)},
         "not asked: all requests used", "unknown"),
        ("page by offset", "18.0.0", {"offset": good([], {})}, "none of them", "differs"),
        ("page by offset", "18.0.0", {"offset": good([], {"x-next-page": ""})}, "X-Next-Page",
         "differs"),
        ("read a log", "18.0.0", {"trace": failed(403)}, "HTTP 403", "differs"),
        ("read a log", "18.0.0", {"trace": Reply(problem=Problem.TOO_LARGE)}, "200",
         "as expected"),
        ("byte ranges", "18.0.0", {}, "1 byte", "differs"),
        ("byte ranges", "18.0.0", {"trace": good(size=700)}, "the whole log", "as expected"),
        ("byte ranges", "19.1.0", {"trace": good(size=700)}, "the whole log", "differs"),
        ("byte ranges", "19.1.0", {"trace": Reply(problem=Problem.TOO_LARGE)}, "the whole log",
         "differs"),
        ("byte ranges", "19.1.0", {"trace": good(size=0)}, "an empty log", "unknown"),
        ("ETag of a log", "18.0.0", {"trace": good(size=1)}, "no ETag", "differs"),
        ("ETag of a log", "18.0.0", {"trace_again": good(size=1)}, "200", "differs"),
        ("ETag of a log", "18.0.0", {"trace": good(size=0)}, "an empty log", "unknown"),
        ("ETag of a job", "18.0.0", {"job": good({})}, "no ETag", "differs"),
        ("ETag of a job", "18.0.0", {"job": failed(502)}, "HTTP 502", "unknown"),
    ],
)  # fmt: skip
def test_verdict_of_an_answer(name, version, changed, seen, verdict):
    one = check(findings(version, **changed), name)
    assert (one.seen, one.verdict) == (seen, verdict)
    assert one.verdict == "as expected" or one.consequence


@pytest.mark.parametrize("name", ["ETag of a log", "ETag of a job"])
def test_running_job_may_have_changed(name):
    found = findings(trace_again=good(size=1), job_again=good({}))
    found.job_status = "running"
    assert check(found, name).verdict == "unknown"


@pytest.mark.parametrize(
    ("reply", "seen", "verdict"),
    [
        (good({"projects": {"nodes": [{}, {}]}, "queryComplexity": {"score": 21, "limit": 250}}),
         "0.1 s, complexity 21 of 250, found 2 of 2", "as expected"),
        (good({"projects": {"nodes": [{}]}}), "0.1 s, found 1 of 2", "as expected"),
        (good({"projects": {"nodes": [{}, {}]}}, seconds=5.1), "5.1 s, found 2 of 2", "differs"),
        (good({"projects": {"nodes": []}}), "no project of 2", "differs"),
        (good({"projects": {"nodes": [{}, {}, {}]}}), "0.1 s, found 3 of 2", "differs"),
        (failed(404), "HTTP 404", "differs"),
        (failed(403), "HTTP 403", "differs"),
        (failed(503), "HTTP 503", "unknown"),
        (Reply(200, value={"queryComplexity": {"score": 21, "limit": 5}},
               problem=Problem.COMPLEXITY), "refused, complexity 21 of 5", "differs"),
        (Reply(200, problem=Problem.REFUSED), "errors in the answer", "differs"),
        (Reply(200, problem=Problem.NOT_JSON), "not JSON", "differs"),
        (Reply(problem=Problem.LOST), "no complete answer", "differs"),
        (Reply(problem=Problem.LIMIT), "not asked: all requests used", "unknown"),
    ],
)  # fmt: skip
def test_verdict_of_a_question_to_graphql(reply, seen, verdict):
    found = findings()
    found.questions[10] = reply
    one = check(found, "GraphQL, 10 projects")
    assert (one.seen, one.verdict) == (seen, verdict)


def test_unasked_questions_say_why():
    found = findings()
    found.questions[1] = good({"projects": {"nodes": [{}]}})
    found.questions[10] = good({"projects": {"nodes": [{}, {}]}})
    assert check(found, "GraphQL, 50 projects").consequence == (
        "2 known projects; --group names more"
    )
    found.questions[10] = failed(404)
    assert check(found, "GraphQL, 50 projects").consequence == "a smaller question failed"
    found.project_ids.clear()
    found.questions.clear()
    assert "--group" in check(found, "GraphQL, 1 project").consequence
    found.is_job_token = True
    assert "job token" in check(found, "GraphQL, 1 project").consequence


def reading(updated, job):
    pipeline = {"id": 1, "status": "RUNNING", "updatedAt": updated}
    jobs = {"nodes": [{"id": 7, "status": job}]}
    return good({"projects": {"nodes": [{"pipelines": {"nodes": [pipeline | {"jobs": jobs}]}}]}})


@pytest.mark.parametrize(
    ("second", "seen", "verdict"),
    [
        (reading("1", "RUNNING"), "nothing changed between two readings", "unknown"),
        (reading("1", "SUCCESS"), "does not move with a job", "as expected"),
        (reading("2", "SUCCESS"), "moves with a job", "differs"),
        (failed(502), "HTTP 502", "unknown"),
        (Reply(), "not asked", "unknown"),
    ],
)
def test_verdict_of_updated_at(second, seen, verdict):
    found = findings(reading=second)
    found.questions[1] = reading("1", "RUNNING")
    one = check(found, "updatedAt")
    assert (one.seen, one.verdict) == (seen, verdict)


@pytest.mark.parametrize(
    ("named", "changed", "code"),
    [
        (False, {}, 0),
        (False, {"jobs": failed(403)}, 0),
        (True, {"jobs": failed(403)}, 4),
        (True, {"jobs": failed(404)}, 4),
        (False, {"jobs": good(rows(1, 2))}, 1),
        (False, {"jobs": good(rows(*range(30, 20, -1)))}, 0),
        (False, {"token": good({"scopes": ["read_user"]})}, 1),
        (False, {"trace": failed(403)}, 1),
        (False, {"trace": Reply(problem=Problem.LOST)}, 0),
        (False, {"below": failed(400)}, 0),
    ],
)
def test_exit_code_weighs_differences(named, changed, code):
    found = findings(named=named, **changed)
    assert exit_code(found, checks_of(found)) == code


@pytest.mark.parametrize(("version", "code"), [("14.10.5", 1), ("15.0.0", 0)])
def test_exit_code_of_old_servers(version, code):
    found = findings(version)
    assert exit_code(found, checks_of(found)) == code


def test_unreadable_group_is_not_found():
    found = findings(projects=failed(404))
    found.named_group = "shop"
    assert exit_code(found, checks_of(found)) == 4
    assert check(found, "projects").seen == "HTTP 404"


def test_nothing_asked_is_unknown_everywhere():
    checks = checks_of(Findings())
    assert {one.verdict for one in checks} <= {Verdict.UNKNOWN, Verdict.EXPECTED}
    assert [one.name for one in checks if one.verdict is Verdict.EXPECTED] == ["rate limit headers"]
    assert [one.name for one in checks if not one.consequence] == []
    assert exit_code(Findings(), checks) == 0
