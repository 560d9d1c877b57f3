"""`parse_webhook` as a receiver calls it: the clock, odd values, bad bodies, and tracebacks."""

import base64
import hashlib
import hmac
import logging
import time
import traceback

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import (
    JobHook,
    PipelineHook,
    SeenDeliveries,
    WebhookRejectedError,
    parse_webhook,
)
from gitlab_jobs_async.models import HookBuild, HookCommit, HookRunner, HookUser
from gitlab_jobs_async.webhooks import parser

KEY = b"a key of 32 bytes, to sign with."
SIGNING = "whsec_" + base64.b64encode(KEY).decode()
TOKEN = "the-secret-token"
JOB = {
    "object_kind": "build", "build_id": 1, "pipeline_id": 2, "project_id": 3,
    "build_name": "b", "build_stage": "s", "build_status": "failed",
}  # fmt: skip
PIPELINE = {
    "object_kind": "pipeline",
    "object_attributes": {"id": 2, "status": "running"},
    "project": {"id": 3},
}
EVENT = {"X-Gitlab-Event": "Job Hook"}


def signed(body, stamp=None, number="id-1", **more):
    stamp = int(time.time()) if stamp is None else stamp
    digest = hmac.new(KEY, f"{number}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return EVENT | {
        "webhook-id": number,
        "webhook-timestamp": str(stamp),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        **more,
    }


BODY = orjson.dumps(JOB)


def refusal(headers, body=BODY, **options):
    with pytest.raises(WebhookRejectedError) as refused:
        parse_webhook(headers, body, **options)
    return refused.value


def test_signed_delivery_uses_the_system_clock():
    assert parse_webhook(signed(BODY), BODY, signing_token=SIGNING).job_id == 1
    late = signed(BODY, int(time.time()) - 310)
    assert refusal(late, signing_token=SIGNING).status == 401
    early = signed(BODY, int(time.time()) + 310)
    assert refusal(early, signing_token=SIGNING).status == 401


def test_now_is_an_argument():
    headers = signed(BODY, 1000)
    assert parse_webhook(headers, BODY, signing_token=SIGNING, now=1300).job_id == 1
    assert refusal(headers, signing_token=SIGNING, now=1301).status == 401
    assert parse_webhook(headers, BODY, signing_token=SIGNING, now=2000, tolerance=1000).job_id == 1


def test_delivery_without_expected_headers_is_401():
    for headers in ({}, EVENT, EVENT | {"X-Gitlab-Token": TOKEN}):
        assert refusal(headers, signing_token=SIGNING).status == 401
    for headers in ({}, EVENT, signed(BODY)):
        assert refusal(headers, token=TOKEN).status == 401
    assert refusal(signed(BODY), token=TOKEN, signing_token=SIGNING).status == 401
    both = signed(BODY, **{"X-Gitlab-Token": TOKEN})
    assert parse_webhook(both, BODY, token=TOKEN, signing_token=SIGNING).job_id == 1


def test_forged_body_is_not_parsed():
    assert refusal(signed(BODY), b"no json", signing_token=SIGNING).status == 401


@pytest.mark.parametrize("spelled", [str.upper, str.lower, str.title])
def test_signature_headers_in_any_case(spelled):
    headers = {spelled(name): value for name, value in signed(BODY).items()}
    assert parse_webhook(headers, BODY, signing_token=[SIGNING]).delivery == "id-1"


def test_replay_with_another_key_is_a_repeat():
    # GitLab signs webhook-id and not Idempotency-Key, so only the first can be believed.
    seen = SeenDeliveries()
    for key, is_repeat in (("id-1", False), ("id-1", True), ("other", True), (None, True)):
        headers = signed(BODY) | ({} if key is None else {"Idempotency-Key": key})
        hook = parse_webhook(headers, BODY, signing_token=SIGNING)
        assert (hook.delivery, seen.is_repeat(hook)) == ("id-1", is_repeat)
    again = parse_webhook(signed(BODY, number="id-2"), BODY, signing_token=SIGNING)
    assert not seen.is_repeat(again)


def test_delivery_is_the_idempotency_key_unsigned():
    ids = {"Idempotency-Key": "a", "webhook-id": "b"}
    assert parse_webhook(EVENT | ids, BODY).delivery == "a"
    assert parse_webhook(EVENT | {"webhook-id": "b"}, BODY).delivery == "b"
    assert parse_webhook(EVENT | {"Idempotency-Key": ""}, BODY).delivery is None


@pytest.mark.parametrize(
    ("body", "kind"), [("{}", "str"), (bytearray(BODY), "bytearray"), (None, "NoneType")]
)
def test_body_that_is_not_bytes_is_refused(body, kind):
    with pytest.raises(TypeError, match=rf"^body is a {kind}: expected the bytes that were sent$"):
        parse_webhook(EVENT, body)


def locals_of(error):
    """Return the text that an error reporter would collect, without the test's own frame."""
    shown = ""
    while error is not None:
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)][1:]
        shown += "".join(repr(vars_) for vars_ in (frame.f_locals for frame in frames))
        error = error.__cause__ or error.__context__
    return shown


@pytest.mark.parametrize(
    ("headers", "options"),
    [
        ({"X-Gitlab-Token": TOKEN}, {"token": TOKEN}),
        ({"X-Gitlab-Token": TOKEN}, {"token": "another"}),
        ({}, {"token": [TOKEN, "another"]}),
        ({}, {"token": TOKEN, "signing_token": SIGNING}),
        ({}, {"token": f"{TOKEN}\n"}),
        ({}, {"signing_token": f"{SIGNING}\n"}),
        ({}, {"token": TOKEN, "tolerance": 0}),
        ({}, {"token": [TOKEN, 1]}),
        (signed(b"[1]"), {"signing_token": SIGNING}),
    ],
)
def test_no_secret_in_locals_of_a_traceback(headers, options):
    with pytest.raises((WebhookRejectedError, ValueError, TypeError)) as wrong:
        parse_webhook(headers, b"[1]", **options)
    shown = locals_of(wrong.value) + repr(wrong.value) + str(wrong.value)
    assert TOKEN not in shown
    assert SIGNING not in shown
    assert KEY.decode() not in shown


@pytest.mark.parametrize("odd", [1.5, True, "x", [], [1], {}, {"id": "x"}])
@pytest.mark.parametrize(
    "name",
    [
        "build_name", "build_stage", "build_created_at", "build_duration", "build_allow_failure",
        "build_failure_reason", "user", "runner", "environment", "commit", "project", "ref", "tag",
        "sha", "retries_count", "source_pipeline",
    ],
)  # fmt: skip
def test_odd_value_is_ignored_alone(name, odd):
    hook = parse_webhook(EVENT, orjson.dumps(JOB | {"ref": "main", name: odd}))
    assert (hook.job_id, hook.pipeline_id, hook.project_id, hook.status) == (1, 2, 3, "failed")
    assert hook.raw[name] == odd
    if name != "ref":
        assert hook.ref == "main"


def test_odd_value_is_a_warning_without_text(caplog):
    body = JOB | {"user": {"id": TOKEN, "name": "Ann"}, "runner": 7, "build_name": [TOKEN]}
    hook = parse_webhook(EVENT | {"Idempotency-Key": "k"}, orjson.dumps(body))
    assert (hook.user, hook.runner, hook.name) == (HookUser(name="Ann"), None, "")
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("gitlab_jobs_async", logging.WARNING)
    assert record.getMessage() == (
        "webhook k: ignored 3 values: JobHook.name: expected a string, got a list; "
        "HookUser.id: expected a whole number, got a string; "
        "JobHook.runner: expected an object, got 7"
    )


def test_odd_builds_are_ignored_one_by_one(caplog):
    tags = {"id": 1, "status": "x", "runner": {"id": 5, "tags": ["a", 7, "b"]}}
    builds = [7, {"id": "x", "status": "x"}, {"id": 2}, {"id": 3, "status": "y", "when": 1}, tags]
    hook = parse_webhook(EVENT, orjson.dumps(PIPELINE | {"builds": builds, "bridges": {}}))
    assert hook.builds == (
        HookBuild(id=3, status="y"),
        HookBuild(id=1, status="x", runner=HookRunner(id=5, tags=("a", "b"))),
    )
    assert hook.bridges == ()
    (record,) = caplog.records
    assert "ignored 6 values: PipelineHook.builds[0]: expected an object, got 7; " in (
        record.getMessage()
    )
    assert "PipelineHook.builds[2]: required field missing @ $.status" in record.getMessage()


def test_real_deliveries_cause_no_warning(caplog):
    none = {"filename": None, "size": None}
    builds = [{"id": 1, "status": "x", "artifacts_file": none, "runner": None, "environment": None}]
    sent = PIPELINE | {"builds": builds, "merge_request": None, "commit": None, "user": None}
    hook = parse_webhook(EVENT, orjson.dumps(sent))
    assert hook.builds == (HookBuild(id=1, status="x"),)
    assert not caplog.records


def test_warnings_are_bounded(caplog):
    builds = [{"id": 1, "status": "x", "name": 7, "stage": 7, "when": 7}] * 1000
    headers = EVENT | {"Idempotency-Key": "k" * 9000}
    hook = parse_webhook(headers, orjson.dumps(PIPELINE | {"builds": builds}))
    assert hook.builds == (HookBuild(id=1, status="x"),) * 1000
    (record,) = caplog.records
    assert "ignored 3000 values" in record.getMessage()
    assert len(record.getMessage()) < 1000


@pytest.mark.parametrize("jobs", [pytest.param(20_000, id="many"), pytest.param(40_000, id="more")])
def test_unexpected_values_have_a_limit(jobs):
    builds = [{"id": 1, "status": "x", "name": 7, "stage": 7, "when": 7}] * jobs
    came = outcome(orjson.dumps(PIPELINE | {"builds": builds}))
    if jobs == 20_000:
        assert len(came.builds) == jobs
    else:
        assert came.status == 400
        assert "more than 100000 values of unexpected types" in str(came)


def test_ignored_values_stay_with_their_call(caplog):
    parse_webhook(EVENT, orjson.dumps(JOB | {"ref": 1}))
    assert len(caplog.records) == 1
    parse_webhook(EVENT, BODY)
    assert len(caplog.records) == 1


IDS = {"id": 1, "status": "x"}
ODD_FIELDS = [one.name for one in attrs.fields(HookBuild) if one.name not in IDS]


def outcome(body):
    try:
        return parse_webhook(EVENT, body)
    except WebhookRejectedError as refused:
        return refused


HOSTILE = {
    "nested lists": b"[" * 200_000,
    "nested objects": b'{"object_kind":' * 100_000,
    "nested in a field": b'{"object_kind": "build", "user": ' + b"[" * 900 + b"]" * 900 + b"}",
    "tiny lists": b'{"object_kind": "build", "x": [' + b"[]," * 8_000_000 + b"[]]}",
    "tiny texts": b'{"object_kind": "build", "x": [' + b'"a",' * 6_000_000 + b'"a"]}',
    "many odd builds": orjson.dumps(PIPELINE | {"builds": [{"id": "x"}] * 60_000}),
    "many builds": orjson.dumps(PIPELINE | {"builds": [{"id": 1, "status": "x"}] * 60_000}),
    "odd builds": orjson.dumps(PIPELINE | {"builds": [{"id": "x", "user": []}] * 50_000}),
    "odd fields": orjson.dumps(
        PIPELINE | {"builds": [{name: [] for name in ODD_FIELDS} | IDS] * 50_000}
    ),
    "many odd tags": orjson.dumps(JOB | {"runner": {"tags": [1] * 50_000}}),
    "a long text": b'{"object_kind": "' + b"a" * 20_000_000 + b'"}',
    "a long time": orjson.dumps(JOB | {"build_created_at": "2" * 20_000_000}),
    "a long number": b'{"object_kind": "build", "build_id": ' + b"9" * 1_000_000 + b"}",
    "spaces": b" " * 25_000_000,
    "commas": b"," * 25_000_000,
}


@pytest.mark.timeout(60)  # it bounds CPU time, which a busy machine grants slowly
@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in HOSTILE.items()])
@pytest.mark.no_cover("measures time")
def test_hostile_body_takes_a_bounded_time(body):
    began = time.process_time()  # the machine may have other things to do
    came = outcome(body)
    assert time.process_time() - began < 6.0
    assert isinstance(came, JobHook | PipelineHook) or came.status in {202, 400, 413}


@pytest.mark.parametrize("name", ["tiny lists", "tiny texts", "commas"])
def test_body_of_too_many_values_is_not_parsed(name):
    # orjson makes 750 MB of 25 MB of empty lists, in one call that nothing can stop.
    assert outcome(HOSTILE[name]).status == 413


@pytest.mark.parametrize("error", [MemoryError, RecursionError])
def test_memory_error_rejects_the_delivery(monkeypatch, error):
    class Parser:
        JSONDecodeError = orjson.JSONDecodeError

        @staticmethod
        def loads(_body):
            raise error

    monkeypatch.setattr(parser, "orjson", Parser)
    assert outcome(BODY).status == 400


def test_list_beyond_any_pipeline_is_ignored(caplog):
    hook = parse_webhook(EVENT, HOSTILE["many builds"])
    assert hook.builds == ()
    assert len(hook.raw["builds"]) == 60_000
    assert "expected at most 50000 rows, got 60000" in caplog.records[0].getMessage()


JSON = st.recursive(
    st.sampled_from(["build", "pipeline", 1, -1, 2**63 - 1, None, True, "2021-02-23 02:41:37 UTC"])
    | st.text(max_size=5) | st.floats(),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["id", "status", "user", "runner", "tags", "commit", "builds", "bridges", "author",
             "artifacts_file", "filename", "environment", "project", "variables", "key", "stages",
             "created_at", "created_at_iso", "duration", "failure_reason", "source_pipeline"]
        ), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip
FIELDS = st.sampled_from([*JOB, *PIPELINE, "user", "runner", "builds", "bridges", "commit",
    "build_created_at", "build_finished_at_iso", "build_duration", "environment", "merge_request",
    "source_pipeline"])  # fmt: skip


@given(st.sampled_from([{}, JOB, PIPELINE]), st.dictionaries(FIELDS, JSON, max_size=6))
def test_any_object_is_a_hook_or_rejected(base, more):
    body = orjson.dumps(base | more)
    hook = outcome(body)
    if isinstance(hook, WebhookRejectedError):
        assert hook.status in {202, 400}
        return
    hash(hook)
    assert hook.raw == orjson.loads(body)
    if isinstance(hook, PipelineHook):
        assert isinstance(hook.commit, HookCommit | None)
        assert all(type(build.id) is int for build in (*hook.builds, *hook.bridges))


@given(st.sampled_from([JOB, PIPELINE]), st.dictionaries(FIELDS, JSON, max_size=6))
def test_only_ids_and_status_are_required(base, more):
    needed = {"object_kind", "object_attributes", "project", "project_id", "pipeline_id",
              "build_id", "build_status"}  # fmt: skip
    more = {name: value for name, value in more.items() if name not in needed}
    hook = parse_webhook(EVENT, orjson.dumps(base | more))
    assert (hook.project_id, hook.pipeline_id) == (3, 2)
