"""A delivery -> what it tells, or a refusal that says what to answer; and repeats."""

import copy
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from gitlab_jobs_async import (
    Deliveries,
    FailureReason,
    GitLabError,
    HookBuild,
    HookRefusedError,
    JobHook,
    JobStatus,
    PipelineHook,
    read_hook,
)

SECRET = "wh-s3cret"
KEY = "f5e5f430-f57b-4e6e-9fac-d9128cd7232f"
JOB_HEADERS = {"X-Gitlab-Event": "Job Hook", "Idempotency-Key": KEY, "X-Gitlab-Token": SECRET}
PIPELINE_HEADERS = {**JOB_HEADERS, "X-Gitlab-Event": "Pipeline Hook"}
PROJECT = {"id": 380, "name": "Gitlab Test", "path_with_namespace": "gitlab-org/gitlab-test"}
JOB = {
    "object_kind": "build", "ref": "main", "tag": False, "sha": "2293ada6", "retries_count": 2,
    "build_id": 1977, "build_name": "test", "build_stage": "verify", "build_status": "failed",
    "build_created_at": "2021-02-23T02:41:37.886Z", "build_started_at": "2021-02-23 02:42:00 UTC",
    "build_finished_at": None, "build_created_at_iso": "2021-02-23T02:41:37Z",
    "build_duration": 17, "build_queued_duration": 1095.588715, "build_allow_failure": False,
    "build_failure_reason": "script_failure", "pipeline_id": 2366, "runner": None,
    "project_id": 380, "project_name": "Gitlab Org / Gitlab Test", "project": PROJECT,
    "commit": {"id": 2366, "status": "running"}, "environment": None,
}  # fmt: skip
BUILD = {
    "id": 378, "stage": "test", "name": "test-build", "status": "failed",
    "created_at": "2016-08-12 15:23:28 UTC", "started_at": "2016-08-12 15:26:12 UTC",
    "finished_at": "2016-08-12 15:26:29 UTC", "duration": 17.0, "queued_duration": 196.0,
    "failure_reason": "script_failure", "when": "on_success", "manual": False,
    "allow_failure": True, "runner": None, "artifacts_file": {"filename": None, "size": None},
}  # fmt: skip
WAITING = {"id": 380, "stage": "deploy", "name": "production", "status": "manual"}
PIPELINE = {
    "object_kind": "pipeline",
    "object_attributes": {
        "id": 31, "iid": 3, "ref": "main", "tag": False, "sha": "bcbb5ec3", "source": "push",
        "status": "success", "stages": ["build"], "created_at": "2016-08-12 15:23:28 UTC",
        "finished_at": "2016-08-12 15:26:29 UTC", "duration": 63, "queued_duration": None,
        "variables": [{"key": "TOKEN", "value": SECRET}],
    },
    "merge_request": None, "project": PROJECT, "builds": [BUILD, WAITING],
}  # fmt: skip


def read(body, headers=JOB_HEADERS, **options):
    return read_hook(headers, orjson.dumps(body), **options)


def refusal(headers, body, **options):
    with pytest.raises(HookRefusedError) as refused:
        read_hook(headers, body, **options)
    return refused.value


def test_a_job_event_is_a_job_hook():
    assert read(JOB) == JobHook(
        project_id=380,
        project_path="gitlab-org/gitlab-test",
        job_id=1977,
        pipeline_id=2366,
        name="test",
        stage="verify",
        status=JobStatus.FAILED,
        ref="main",
        created_at=datetime(2021, 2, 23, 2, 41, 37, 886_000, UTC),
        started_at=datetime(2021, 2, 23, 2, 42, tzinfo=UTC),
        duration=17.0,
        queued_duration=1095.588715,
        failure_reason=FailureReason.SCRIPT_FAILURE,
        allow_failure=False,
        retries_count=2,
        delivery=KEY,
    )


def test_a_pipeline_event_is_a_pipeline_hook():
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
    )
    assert read(PIPELINE, PIPELINE_HEADERS) == PipelineHook(
        project_id=380,
        project_path="gitlab-org/gitlab-test",
        pipeline_id=31,
        status=JobStatus.SUCCESS,
        ref="main",
        sha="bcbb5ec3",
        source="push",
        created_at=created,
        finished_at=finished,
        duration=63.0,
        builds=(
            failed,
            HookBuild(id=380, name="production", stage="deploy", status=JobStatus.MANUAL),
        ),
        delivery=KEY,
    )


REQUIRED = {
    "build_id", "build_name", "build_stage", "build_status", "object_kind", "pipeline_id",
    "project_id",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(JOB.keys() - REQUIRED))
def test_what_is_not_required_may_be_null_or_missing(name):
    without = {key: value for key, value in JOB.items() if key != name}
    assert read(JOB | {name: None}) == read(without)
    assert read(without).job_id == 1977


def test_a_delivery_of_the_least():
    least = read({name: JOB[name] for name in REQUIRED}, {"x-gitlab-event": "Job Hook"})
    assert least == JobHook(
        project_id=380, job_id=1977, pipeline_id=2366, name="test", stage="verify", status="failed"
    )
    body = {"object_kind": "pipeline", "object_attributes": {"id": 1, "status": "x"}}
    hook = read(body | {"project": {"id": 2}}, PIPELINE_HEADERS)
    assert (hook.pipeline_id, hook.project_id, hook.status, hook.builds) == (1, 2, "x", ())


def test_an_unknown_status_or_reason_survives():
    hook = read(JOB | {"build_status": "thinking"})
    assert (hook.status, hook.status.is_finished) == ("thinking", False)
    assert read(JOB | {"build_failure_reason": "bad_mood"}).failure_reason == "bad_mood"


@pytest.mark.parametrize("status", ["created", "running", "success"])
def test_what_has_not_failed_has_no_reason(status):
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
def test_times_in_every_style_of_gitlabs(fields, at):
    finished = read(JOB | fields).finished_at
    assert finished == at
    assert finished is None or finished.tzinfo is not None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (JOB | {"build_id": "1977"}, "a string where a whole number was due @ $.build_id"),
        (JOB | {"build_id": True}, "True where a whole number was due @ $.build_id"),
        (JOB | {"build_id": None}, "null where a whole number was due @ $.build_id"),
        (JOB | {"build_name": 1}, "1 where a string was due @ $.build_name"),
        (JOB | {"build_status": []}, "a list where a string was due @ $.build_status"),
        (JOB | {"build_duration": "1"}, "a string where a number was due @ $.build_duration"),
        (
            JOB | {"build_started_at": "soon"},
            "a string that is no time where one was due @ $.build_started_at",
        ),
        (JOB | {"project": [1]}, "a list where an object was due @ $.project"),
        ({"object_kind": "build"}, "required field missing @ $.build_status"),
        (
            PIPELINE | {"object_attributes": {"id": 1}},
            "required field missing @ $.object_attributes.status",
        ),
        (PIPELINE | {"project": None}, "required field missing @ $.project.id"),
        (PIPELINE | {"builds": {}}, "an object where a list was due @ $.builds"),
        (PIPELINE | {"builds": [BUILD, 7]}, "7 where an object was due @ $.builds[1]"),
        (
            PIPELINE | {"builds": [BUILD | {"stage": 1}]},
            "1 where a string was due @ $.builds[0].stage",
        ),
        ({"object_kind": 1}, "1 where a string was due @ $.object_kind"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(body, reason):
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
def test_what_is_no_hook_is_refused_with_a_status_to_answer(headers, body, status):
    assert refusal(headers, body).status == status


@pytest.mark.parametrize("body", [JOB, PIPELINE])
def test_the_body_says_what_a_system_hook_is_about(body):
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
def test_headers_are_known_in_any_case(headers):
    assert read(JOB, headers, secret=SECRET) == read(JOB)


@pytest.mark.parametrize(
    "given_token", [None, "", "guess", SECRET[:-1], SECRET + "x", SECRET.upper(), "ö", "\udcff"]
)
@pytest.mark.parametrize("body", [orjson.dumps(JOB), b"no json"])
def test_without_the_right_secret_nothing_is_read(given_token, body):
    headers = {k: v for k, v in JOB_HEADERS.items() if k != "X-Gitlab-Token"}
    if given_token is not None:
        headers["X-Gitlab-Token"] = given_token
    refused = refusal(headers, body, secret=SECRET)
    assert refused.status == 401
    assert not given_token or given_token not in str(refused)


def test_two_secrets_are_none():
    headers = CIMultiDict([*JOB_HEADERS.items(), ("X-Gitlab-Token", "other")])
    assert refusal(headers, orjson.dumps(JOB), secret=SECRET).status == 401


@pytest.mark.parametrize("secret", ["sésame", "密", "\udcff", "a b"])
def test_a_secret_is_any_text(secret):
    headers = {**JOB_HEADERS, "X-Gitlab-Token": secret}
    assert read(JOB, headers, secret=secret).job_id == 1977


@pytest.mark.parametrize("secret", ["", " ", "from a file\n", " x"])
def test_a_secret_that_can_never_match_is_refused(secret):
    with pytest.raises(ValueError, match=r"^secret \(not shown\)"):
        read(JOB, secret=secret)


def test_a_secret_of_bytes_is_refused():
    with pytest.raises(TypeError, match=r"^secret must be a string, not bytes$"):
        read(JOB, secret=b"secret")


def test_no_secret_is_shown():
    hook = read(PIPELINE, PIPELINE_HEADERS, secret=SECRET)
    assert SECRET not in repr(hook)
    broken = PIPELINE | {"project": {"id": SECRET}}
    refused = refusal(PIPELINE_HEADERS, orjson.dumps(broken), secret=SECRET)
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
    """Where in a body another value may be put."""
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
    """A real body with some of its values replaced by others."""
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
        return read_hook(headers, body, secret=secret)
    except HookRefusedError as refused:
        return refused


@given(HEADERS | st.just(JOB_HEADERS), BODIES, st.none() | st.just(SECRET))
def test_whatever_comes_is_a_hook_or_a_refusal(headers, body, secret):
    came = outcome(headers, body, secret)
    if isinstance(came, HookRefusedError):
        assert came.status in {202, 400, 401}
        assert SECRET not in str(came)
    else:
        assert isinstance(came, JobHook | PipelineHook)
        assert secret is None or "x-gitlab-token" in {name.lower() for name in headers}


@given(mutated())
def test_what_a_hook_tells_has_the_types_it_promises(body):
    hook = outcome(JOB_HEADERS, orjson.dumps(body), None)
    if isinstance(hook, HookRefusedError):
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


def test_a_delivery_that_comes_again_is_a_repeat():
    deliveries = Deliveries()
    assert [deliveries.is_repeat(hook_of(key)) for key in "abab"] == [False, False, True, True]


def test_a_delivery_without_a_key_is_never_a_repeat():
    deliveries = Deliveries()
    assert not any(deliveries.is_repeat(hook_of("")) for _ in range(3))
    assert len(deliveries) == 0


def test_nothing_can_be_remembered_in_no_space():
    with pytest.raises(ValueError, match=r"^most must be at least 1, not 0$"):
        Deliveries(0)


@given(st.lists(st.integers(0, 9).map(str), max_size=60), st.integers(1, 8))
def test_the_latest_deliveries_are_remembered_and_no_more(keys, most):
    deliveries, remembered = Deliveries(most), []
    for key in keys:
        assert deliveries.is_repeat(hook_of(key)) == (key in remembered)
        if key not in remembered:
            remembered = [*remembered, key][-most:]
        assert len(deliveries) == len(remembered) <= most
