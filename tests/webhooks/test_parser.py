"""Deliveries become hooks or are rejected with a status; repeats are detected."""

import copy
import pickle
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from gitlab_jobs_async import (
    FailureReason,
    GitLabError,
    JobHook,
    JobStatus,
    PipelineHook,
    SeenDeliveries,
    WebhookRejectedError,
    parse_webhook,
)
from gitlab_jobs_async.models import (
    ArtifactsFile,
    HookAuthor,
    HookBuild,
    HookCommit,
    HookEnvironment,
    HookMergeRequest,
    HookProject,
    HookRunner,
    HookUser,
    HookVariable,
    JobHookCommit,
    SourcePipeline,
)

SECRET = "wh-s3cret"
KEY = "f5e5f430-f57b-4e6e-9fac-d9128cd7232f"
JOB_HEADERS = {"X-Gitlab-Event": "Job Hook", "Idempotency-Key": KEY, "X-Gitlab-Token": SECRET}
PIPELINE_HEADERS = {**JOB_HEADERS, "X-Gitlab-Event": "Pipeline Hook"}
PROJECT = {"id": 380, "name": "Gitlab Test", "path_with_namespace": "gitlab-org/gitlab-test"}
USER = {
    "id": 3, "name": "Jane", "username": "jane", "avatar_url": None, "email": "[REDACTED]",
}  # fmt: skip
RUNNER = {
    "id": 380987, "description": "shared-6", "runner_type": "instance_type", "active": True,
    "is_shared": True, "tags": ["linux", "docker"],
}  # fmt: skip
UPSTREAM = {
    "project": {
        "id": 41, "web_url": "https://gitlab.example.com/up", "path_with_namespace": "g/up",
    },
    "pipeline_id": 30, "job_id": 3401, "bridge_id": 3402,
}  # fmt: skip
JOB = {
    "object_kind": "build", "ref": "main", "tag": False, "sha": "2293ada6", "retries_count": 2,
    "build_id": 1977, "build_name": "test", "build_stage": "verify", "build_status": "failed",
    "build_created_at": "2021-02-23T02:41:37.886Z", "build_started_at": "2021-02-23 02:42:00 UTC",
    "build_finished_at": None, "build_created_at_iso": "2021-02-23T02:41:37Z",
    "build_duration": 17, "build_queued_duration": 1095.588715, "build_allow_failure": False,
    "build_failure_reason": "script_failure", "pipeline_id": 2366, "runner": RUNNER,
    "project_id": 380, "project_name": "Gitlab Org / Gitlab Test", "project": PROJECT,
    "user": USER, "before_sha": "0" * 40, "environment": {"name": "prod", "action": "start"},
    "commit": {
        "id": 2366, "name": "Nightly", "sha": "2293ada6", "message": "Mend\n", "author_name": "Ann",
        "author_email": "ann@example.com", "author_url": "https://gitlab.example.com/ann",
        "status": "running", "duration": 4, "started_at": "2021-02-23 02:41:37 UTC",
        "finished_at": None, "started_at_iso": "2021-02-23T02:41:37Z", "finished_at_iso": None,
    },
    "repository": {"name": "Gitlab Test"}, "source_pipeline": UPSTREAM,
}  # fmt: skip
BUILD = {
    "id": 378, "stage": "test", "name": "test-build", "status": "failed",
    "created_at": "2016-08-12 15:23:28 UTC", "started_at": "2016-08-12 15:26:12 UTC",
    "finished_at": "2016-08-12 15:26:29 UTC", "duration": 17.0, "queued_duration": 196.0,
    "failure_reason": "script_failure", "when": "on_success", "manual": False,
    "allow_failure": True, "runner": RUNNER, "artifacts_file": {"filename": "a.zip", "size": 9},
    "user": USER, "environment": {"name": "b", "action": "start", "deployment_tier": "testing"},
}  # fmt: skip
WAITING = {
    "id": 380, "stage": "deploy", "name": "production", "status": "manual", "when": "manual",
    "manual": True, "artifacts_file": {"filename": None, "size": None},
}  # fmt: skip
BRIDGE = {"id": 381, "stage": "deploy", "name": "child", "status": "pending", "bridge": True}
MERGE_REQUEST = {
    "id": 1, "iid": 2, "title": "Test", "source_branch": "test", "source_project_id": 1,
    "target_branch": "main", "target_project_id": 380, "state": "opened",
    "merge_status": "can_be_merged", "detailed_merge_status": "mergeable",
    "url": "https://gitlab.example.com/-/merge_requests/2",
}  # fmt: skip
PIPELINE = {
    "object_kind": "pipeline",
    "object_attributes": {
        "id": 31, "iid": 3, "ref": "main", "tag": False, "sha": "bcbb5ec3", "source": "push",
        "status": "success", "stages": ["build"], "created_at": "2016-08-12 15:23:28 UTC",
        "finished_at": "2016-08-12 15:26:29 UTC", "duration": 63, "queued_duration": None,
        "variables": [{"key": "TOKEN", "value": SECRET}], "name": "Nightly", "before_sha": "0" * 40,
        "detailed_status": "passed", "protected_ref": True, "root_pipeline_id": 30,
        "url": "https://gitlab.example.com/-/pipelines/31",
    },
    "merge_request": MERGE_REQUEST, "project": PROJECT, "builds": [BUILD, WAITING], "user": USER,
    "commit": {
        "id": "bcbb5ec3", "message": "Mend\n", "title": "Mend", "url": "https://gitlab.example.com",
        "timestamp": "2016-08-12T17:23:21+02:00",
        "author": {"name": "Ann", "email": "ann@example.com"},
    },
    "bridges": [BRIDGE], "source_pipeline": UPSTREAM,
}  # fmt: skip


def read(body, headers=JOB_HEADERS, **options):
    return parse_webhook(headers, orjson.dumps(body), **options)


def refusal(headers, body, **options):
    with pytest.raises(WebhookRejectedError) as refused:
        parse_webhook(headers, body, **options)
    return refused.value


HOOK_PROJECT = HookProject(id=380, name="Gitlab Test", path_with_namespace="gitlab-org/gitlab-test")
HOOK_USER = HookUser(id=3, name="Jane", username="jane", email="[REDACTED]")
HOOK_RUNNER = HookRunner(
    id=380987,
    description="shared-6",
    runner_type="instance_type",
    active=True,
    is_shared=True,
    tags=("linux", "docker"),
)
SOURCE = SourcePipeline(
    project=HookProject(id=41, web_url="https://gitlab.example.com/up", path_with_namespace="g/up"),
    pipeline_id=30,
    job_id=3401,
    bridge_id=3402,
)


def test_job_event_keeps_all_that_is_sent():
    assert read(JOB) == JobHook(
        project_id=380,
        project=HOOK_PROJECT,
        job_id=1977,
        pipeline_id=2366,
        name="test",
        stage="verify",
        status=JobStatus.FAILED,
        ref="main",
        tag=False,
        sha="2293ada6",
        before_sha="0" * 40,
        created_at=datetime(2021, 2, 23, 2, 41, 37, 886_000, UTC),
        started_at=datetime(2021, 2, 23, 2, 42, tzinfo=UTC),
        duration=17.0,
        queued_duration=1095.588715,
        failure_reason=FailureReason.SCRIPT_FAILURE,
        allow_failure=False,
        user=HOOK_USER,
        runner=HOOK_RUNNER,
        environment=HookEnvironment(name="prod", action="start"),
        commit=JobHookCommit(
            id=2366,
            name="Nightly",
            sha="2293ada6",
            message="Mend\n",
            author_name="Ann",
            author_email="ann@example.com",
            author_url="https://gitlab.example.com/ann",
            status=JobStatus.RUNNING,
            duration=4.0,
            started_at=datetime(2021, 2, 23, 2, 41, 37, tzinfo=UTC),
        ),
        source_pipeline=SOURCE,
        retries_count=2,
        delivery=KEY,
    )
    assert read(JOB).project_path == "gitlab-org/gitlab-test"


def test_pipeline_event_keeps_all_that_is_sent():
    created = datetime(2016, 8, 12, 15, 23, 28, tzinfo=UTC)
    finished = datetime(2016, 8, 12, 15, 26, 29, tzinfo=UTC)
    failed = HookBuild(
        id=378,
        name="test-build",
        stage="test",
        status=JobStatus.FAILED,
        created_at=created,
        started_at=datetime(2016, 8, 12, 15, 26, 12, tzinfo=UTC),
        finished_at=finished,
        duration=17.0,
        queued_duration=196.0,
        failure_reason=FailureReason.SCRIPT_FAILURE,
        allow_failure=True,
        when="on_success",
        manual=False,
        user=HOOK_USER,
        runner=HOOK_RUNNER,
        environment=HookEnvironment(name="b", action="start", deployment_tier="testing"),
        artifacts_file=ArtifactsFile(filename="a.zip", size=9),
    )
    waiting = HookBuild(
        id=380, name="production", stage="deploy", status=JobStatus.MANUAL, when="manual",
        manual=True,
    )  # fmt: skip
    bridge = HookBuild(id=381, name="child", stage="deploy", status="pending", bridge=True)
    hook = read(PIPELINE, PIPELINE_HEADERS)
    assert hook == PipelineHook(
        project_id=380,
        project=HOOK_PROJECT,
        pipeline_id=31,
        iid=3,
        name="Nightly",
        status=JobStatus.SUCCESS,
        detailed_status="passed",
        stages=("build",),
        ref="main",
        tag=False,
        sha="bcbb5ec3",
        before_sha="0" * 40,
        source="push",
        created_at=created,
        finished_at=finished,
        duration=63.0,
        protected_ref=True,
        variables=(HookVariable(key="TOKEN", value=SECRET),),
        url="https://gitlab.example.com/-/pipelines/31",
        root_pipeline_id=30,
        merge_request=HookMergeRequest(**MERGE_REQUEST),
        user=HOOK_USER,
        commit=HookCommit(
            id="bcbb5ec3",
            message="Mend\n",
            title="Mend",
            url="https://gitlab.example.com",
            timestamp=datetime(2016, 8, 12, 15, 23, 21, tzinfo=UTC),
            author=HookAuthor(name="Ann", email="ann@example.com"),
        ),
        builds=(failed, waiting),
        bridges=(bridge,),
        source_pipeline=SOURCE,
        delivery=KEY,
    )
    assert hook.project_path == "gitlab-org/gitlab-test"
    commit = hook.commit
    assert (commit.sha, commit.author_name, commit.author_email) == (
        "bcbb5ec3", "Ann", "ann@example.com"
    )  # fmt: skip
    assert HookCommit().author_name == HookCommit().author_email == ""


@pytest.mark.parametrize(("body", "headers"), [(JOB, JOB_HEADERS), (PIPELINE, PIPELINE_HEADERS)])
def test_raw_is_the_sent_object_read_only(body, headers):
    hook = read(body, headers)
    assert hook.raw == body
    with pytest.raises(TypeError):
        hook.raw["object_kind"] = "x"
    copied = pickle.loads(pickle.dumps(hook))
    assert (copied, copied.raw) == (hook, body)
    assert copy.deepcopy(hook) == hook


@pytest.mark.parametrize("name", ["delivery", "_raw", "raw", "job_id", "project_path"])
def test_names_of_ours_in_a_body_set_nothing(name):
    hook = read(JOB | {name: "forged"})
    assert hook == read(JOB)
    assert hook.raw[name] == "forged"


REQUIRED = {"build_id", "build_status", "object_kind", "pipeline_id", "project_id"}


@pytest.mark.parametrize("name", sorted(JOB.keys() - REQUIRED))
def test_optional_fields_may_be_null_or_missing(name):
    without = {key: value for key, value in JOB.items() if key != name}
    assert read(JOB | {name: None}) == read(without)
    assert read(without).job_id == 1977


def test_minimal_delivery_is_parsed():
    least = read({name: JOB[name] for name in REQUIRED}, {"x-gitlab-event": "Job Hook"})
    assert least == JobHook(project_id=380, job_id=1977, pipeline_id=2366, status="failed")
    body = {"object_kind": "pipeline", "object_attributes": {"id": 1, "status": "x"}}
    hook = read(body | {"project": {"id": 2}}, PIPELINE_HEADERS)
    assert (hook.pipeline_id, hook.project_id, hook.status, hook.builds) == (1, 2, "x", ())


def test_unknown_status_or_reason_is_kept():
    hook = read(JOB | {"build_status": "thinking"})
    assert (hook.status, hook.status.is_finished) == ("thinking", False)
    assert read(JOB | {"build_failure_reason": "bad_mood"}).failure_reason == "bad_mood"


@pytest.mark.parametrize("status", ["created", "running", "success"])
def test_failure_reason_needs_a_failure(status):
    failed_not = {"build_status": status, "build_failure_reason": "unknown_failure"}
    assert read(JOB | failed_not).failure_reason is None


AT = datetime(2021, 2, 23, 2, 41, 37, tzinfo=UTC)
EAST = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"build_finished_at": "2021-02-23 02:41:37 UTC"}, AT),
        ({"build_finished_at": "2021-02-23T02:41:37Z"}, AT),
        ({"build_finished_at": "2021-02-23T02:41:37.000Z"}, AT),
        ({"build_finished_at": "2021-02-23 04:41:37 +0200"}, AT.astimezone(EAST)),
        ({"build_finished_at": "2021-02-23T04:41:37.000+02:00"}, AT),
        ({"build_finished_at": "2021-02-23 02:41:37"}, AT),
        ({"build_finished_at": "23 Feb", "build_finished_at_iso": "2021-02-23T02:41:37Z"}, AT),
        ({"build_finished_at": None, "build_finished_at_iso": None}, None),
    ],
)
def test_times_in_every_format_are_parsed(fields, at):
    finished = read(JOB | fields).finished_at
    assert finished == at
    assert finished is None or finished.tzinfo is not None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (JOB | {"build_id": "1977"}, "expected a whole number, got a string @ $.build_id"),
        (JOB | {"build_id": True}, "expected a whole number, got True @ $.build_id"),
        (JOB | {"build_id": None}, "expected a whole number, got null @ $.build_id"),
        (JOB | {"build_status": []}, "expected a string, got a list @ $.build_status"),
        (
            {"object_kind": "build", "project_id": 1, "pipeline_id": "2"},
            "required field missing @ $.build_status; required field missing @ $.build_id; "
            "expected a whole number, got a string @ $.pipeline_id",
        ),
        (
            PIPELINE | {"object_attributes": {"id": 1}},
            "required field missing @ $.object_attributes.status",
        ),
        (
            PIPELINE | {"object_attributes": [7]},
            "expected an object, got a list @ $.object_attributes",
        ),
        (PIPELINE | {"project": None}, "required field missing @ $.project.id"),
        (PIPELINE | {"project": {"id": 1.5}}, "expected a whole number, got 1.5 @ $.project.id"),
        ({"object_kind": 1}, "expected a string, got 1 @ $.object_kind"),
    ],
)
def test_wrong_required_type_is_named(body, reason):
    refused = refusal(JOB_HEADERS, orjson.dumps(body))
    assert (refused.reason, refused.status) == (reason, 400)
    assert isinstance(refused, GitLabError)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b"{}", 400),
        (JOB_HEADERS, b"", 400),
        (JOB_HEADERS, b"<html>", 400),
        (JOB_HEADERS, b'{"object_kind": "bu', 400),
        (JOB_HEADERS, b"\xff\xfe", 400),
        (JOB_HEADERS, b"[]", 400),
        (JOB_HEADERS, b"null", 400),
        (JOB_HEADERS, b"[" * 100_000, 400),
        (JOB_HEADERS, b" " * (25 * 1024 * 1024 + 1), 413),
        (JOB_HEADERS, b" " * (25 * 1024 * 1024), 400),
        ({"X-Gitlab-Event": "Push Hook"}, b"{}", 202),
        ({"X-Gitlab-Event": "Push Hook"}, b"no json", 202),
        ({"X-Gitlab-Event": "System Hook"}, b'{"event_name": "project_create"}', 202),
        ({"X-Gitlab-Event": "System Hook"}, b'{"object_kind": "push"}', 202),
    ],
)
def test_invalid_delivery_has_a_status(headers, body, status):
    assert refusal(headers, body).status == status


@pytest.mark.parametrize("body", [JOB, PIPELINE])
def test_system_hook_is_parsed_by_its_body(body):
    headers = PIPELINE_HEADERS if body is PIPELINE else JOB_HEADERS
    assert read(body, {**headers, "X-Gitlab-Event": "System Hook"}) == read(body, headers)


@pytest.mark.parametrize(
    "headers",
    [
        {name.lower(): value for name, value in JOB_HEADERS.items()},
        {name.upper(): value for name, value in JOB_HEADERS.items()},
        CIMultiDict(JOB_HEADERS),
        CIMultiDict({name.lower(): value for name, value in JOB_HEADERS.items()}),
    ],
)
def test_headers_match_in_any_case(headers):
    assert read(JOB, headers, token=SECRET) == read(JOB)


@pytest.mark.parametrize(
    "given_token", [None, "", "guess", SECRET[:-1], SECRET + "x", SECRET.upper(), "ö", "\udcff"]
)
@pytest.mark.parametrize("body", [orjson.dumps(JOB), b"no json"])
def test_wrong_secret_is_refused_unparsed(given_token, body):
    headers = {k: v for k, v in JOB_HEADERS.items() if k != "X-Gitlab-Token"}
    if given_token is not None:
        headers["X-Gitlab-Token"] = given_token
    refused = refusal(headers, body, token=SECRET)
    assert refused.status == 401
    assert not given_token or given_token not in str(refused)


def test_two_sent_secrets_are_refused():
    headers = CIMultiDict([*JOB_HEADERS.items(), ("X-Gitlab-Token", "other")])
    assert refusal(headers, orjson.dumps(JOB), token=SECRET).status == 401


@pytest.mark.parametrize("secret", ["sésame", "密", "\udcff", "a b"])
def test_secret_is_any_text(secret):
    headers = {**JOB_HEADERS, "X-Gitlab-Token": secret}
    assert read(JOB, headers, token=secret).job_id == 1977


@pytest.mark.parametrize("secret", ["", " ", "from a file\n", " x", "a\nb", "a\0"])
def test_secret_that_can_never_match_is_refused(secret):
    with pytest.raises(ValueError, match=r"^invalid token \(not shown\)"):
        read(JOB, token=secret)


def test_secret_of_bytes_is_refused():
    with pytest.raises(TypeError, match=r"^token must be a string, not bytes$"):
        read(JOB, token=b"secret")


@pytest.mark.parametrize("twin", ["2021-02-23T02:41:37Z", None])
def test_unknown_commit_time_uses_its_iso_twin(twin):
    commit = JOB["commit"] | {"started_at": "23 Feb", "started_at_iso": twin}
    assert read(JOB | {"commit": commit}).commit.started_at == (AT if twin else None)


@pytest.mark.parametrize(("body", "headers"), [(JOB, JOB_HEADERS), (PIPELINE, PIPELINE_HEADERS)])
def test_raw_object_is_not_in_the_repr(body, headers):
    assert SECRET not in repr(read(body | {"variable": SECRET}, headers))


def test_no_repr_shows_a_secret():
    hook = read(PIPELINE, PIPELINE_HEADERS, token=SECRET)
    assert SECRET not in repr(hook)
    broken = PIPELINE | {"project": {"id": SECRET}}
    refused = refusal(PIPELINE_HEADERS, orjson.dumps(broken), token=SECRET)
    assert SECRET not in f"{refused}{refused!r}{refused.__cause__!r}"
    refused = refusal(PIPELINE_HEADERS, f"no json {SECRET}".encode())
    assert SECRET not in f"{refused}{refused!r}{refused.__cause__!r}{refused.__context__!r}"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from([*JOB_HEADERS, *(name.lower() for name in JOB_HEADERS)]) | st.text()
HEADERS = st.dictionaries(NAMES, st.sampled_from(["Job Hook", "System Hook", SECRET]) | st.text())


def paths(value, path=()):
    """Return the paths of a body at which a value may be replaced."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from paths(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from paths(inner, (*path, number))


@st.composite
def mutated(draw):
    """Return a real body with some values replaced."""
    body = copy.deepcopy(draw(st.sampled_from([JOB, PIPELINE])))
    for _ in range(draw(st.integers(0, 3))):
        *way, last = draw(st.sampled_from(sorted(paths(body), key=str)))
        place = body
        for key in way:
            place = place[key]
        place[last] = draw(JSON | st.sampled_from(["2021-02-23 02:41:37 UTC", " UTC", "9999 UTC"]))
    return body


BODIES = st.one_of(
    st.binary(), JSON.map(orjson.dumps), mutated().map(orjson.dumps),
    mutated().map(orjson.dumps).flatmap(lambda b: st.integers(0, len(b)).map(lambda n: b[:n])),
)  # fmt: skip


def outcome(headers, body, secret):
    try:
        return parse_webhook(headers, body, token=secret)
    except WebhookRejectedError as refused:
        return refused


@given(HEADERS | st.just(JOB_HEADERS), BODIES, st.none() | st.just(SECRET))
def test_any_bytes_are_a_hook_or_rejected(headers, body, secret):
    came = outcome(headers, body, secret)
    if isinstance(came, WebhookRejectedError):
        assert came.status in {202, 400, 401}
        assert SECRET not in str(came)
    else:
        assert isinstance(came, JobHook | PipelineHook)
        assert secret is None or "x-gitlab-token" in {name.lower() for name in headers}


@given(mutated())
def test_hook_fields_have_their_types(body):
    hook = outcome(JOB_HEADERS, orjson.dumps(body), None)
    if isinstance(hook, WebhookRejectedError):
        return
    assert type(hook.project_id) is type(hook.pipeline_id) is int
    assert type(hook.status) is JobStatus
    for at in (hook.created_at, hook.finished_at):
        assert at is None or at.utcoffset() is not None
    for seconds in (hook.duration, hook.queued_duration):
        assert seconds is None or type(seconds) is float
    hash(hook)


def hook_of(delivery):
    return read(JOB, {"X-Gitlab-Event": "Job Hook", "Idempotency-Key": delivery})


def test_repeated_delivery_is_detected():
    deliveries = SeenDeliveries()
    assert [deliveries.is_repeat(hook_of(key)) for key in "abab"] == [False, False, True, True]


def test_delivery_without_a_key_never_repeats():
    deliveries = SeenDeliveries()
    assert not any(deliveries.is_repeat(hook_of("")) for _ in range(3))
    assert len(deliveries) == 0


def test_seen_deliveries_need_space():
    with pytest.raises(ValueError, match=r"^most must be at least 1, not 0$"):
        SeenDeliveries(0)


@given(st.lists(st.integers(0, 9).map(str), max_size=60), st.integers(1, 8))
def test_oldest_delivery_is_forgotten(keys, most):
    deliveries, remembered = SeenDeliveries(most), []
    for key in keys:
        assert deliveries.is_repeat(hook_of(key)) == (key in remembered)
        if key not in remembered:
            remembered = [*remembered, key][-most:]
        assert len(deliveries) == len(remembered) <= most
