"""Models and events round-trip through JSON, and anything else is refused."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import get_args

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitlab_jobs_async import (
    BearerToken,
    Bridge,
    FailureReason,
    Job,
    JobHook,
    JobStatus,
    JobToken,
    Pipeline,
    PrivateToken,
    TraceChunk,
    from_json,
    models,
    to_dict,
    to_json,
)
from gitlab_jobs_async.events import (
    Event,
    JobAppeared,
    JobChanged,
    JobDeleted,
    JobFinished,
    JobLogLine,
    MonitorResumed,
)
from gitlab_jobs_async.logs.parser import LogParser
from tests.support.model_values import values
from tests.webhooks.test_parser import JOB, read

TRUTH = json.loads(
    Path(__file__).parents[1].joinpath("truth", "entities.json").read_text(encoding="utf-8")
)
MODELS = [
    kind
    for kind in (getattr(models, name) for name in models.__all__)
    if attrs.has(kind) and kind is not TraceChunk
]
RUNNING = Job(id=1, status=JobStatus.RUNNING, stage="test", name="a")
GONE = JobDeleted(key="k", project=1, job_id=1, name="a", previous=JobStatus.RUNNING)

TIME = re.compile(r"\d{4}-\d\d-\d\dT")

many = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@many
@given(st.sampled_from(MODELS).flatmap(values))
def test_models_round_trip(model):
    written = to_json(model)
    assert from_json(written, type(model)) == model
    assert from_json(to_dict(model), type(model)) == model
    assert json.loads(written) == to_dict(model)


@many
@given(st.sampled_from(get_args(Event)).flatmap(values))
def test_events_round_trip(event):
    back = from_json(to_json(event))
    assert back == event
    assert type(back) is type(event)
    assert from_json(to_dict(event), type(event)) == event
    if hasattr(event, "job"):
        assert type(back.job) is type(event.job)


@given(st.lists(st.binary(max_size=30), max_size=5))
def test_lines_of_any_bytes_round_trip(chunks):
    parser = LogParser()
    lines = [line for chunk in chunks for line in parser.feed(chunk)] + parser.close()
    for line in lines:
        event = JobLogLine(key="k", project=1, job=RUNNING, line=line)
        assert from_json(to_json(event)) == event


@pytest.mark.parametrize(
    ("rows", "kind"), [("jobs", Job), ("bridges", Bridge), ("pipelines", Pipeline)]
)
def test_models_have_gitlabs_names_and_values(rows, kind):
    dropped = {"trailers", "extended_trailers", "illustration"}
    for row in TRUTH[rows].values():
        written = to_dict(from_json(json.dumps(row), kind))
        assert_holds(written, row, dropped)


def assert_holds(written, row, dropped):
    if isinstance(row, dict):
        for name in row.keys() - dropped:
            assert_holds(written[name], row[name], dropped)
    elif isinstance(row, list):
        for one, other in zip(written, row, strict=True):
            assert_holds(one, other, dropped)
    elif isinstance(row, str) and TIME.match(row):
        assert datetime.fromisoformat(written) == datetime.fromisoformat(row)
        assert (written[-6:] == row[-6:]) or (written[-1] == row[-1] == "Z")
    else:
        assert written == row


def test_unknown_values_of_a_newer_server_survive():
    job = attrs.evolve(
        RUNNING, status=JobStatus("postponed"), failure_reason=FailureReason("sunspots")
    )
    event = JobChanged(key="k", project="group/app", job=job, previous=JobStatus("dreaming"))
    back = from_json(to_json(event))
    assert back == event
    assert not back.job.status.is_finished


def test_job_of_graphql_stays_partial():
    job = attrs.evolve(RUNNING, is_partial=True)
    assert from_json(to_json(JobAppeared(key="k", project=1, job=job))).job == job


def test_event_starts_with_version_and_type():
    plain = to_dict(GONE)
    assert list(plain.items())[:3] == [("version", 1), ("type", "JobDeleted"), ("key", "k")]
    assert to_json(MonitorResumed(key="k", kind="")) == (
        b'{"version":1,"type":"MonitorResumed","key":"k","is_new":true,"kind":""}'
    )


def test_history_stays_history():
    event = JobAppeared(key="k", project=1, job=RUNNING, is_new=False)
    assert from_json(to_json(event)).is_new is False


def test_hook_keeps_its_raw_object():
    hook = read(JOB)
    back = from_json(to_json(hook), JobHook)
    assert back == hook
    assert back.raw == hook.raw == JOB


def test_unknown_fields_are_ignored():
    written = {**to_dict(GONE), "mood": "good"}
    assert from_json(written) == GONE
    assert from_json({**to_dict(RUNNING), "mood": "good"}, Job) == RUNNING


def replaced(**fields):
    return json.dumps({**to_dict(GONE), **fields})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "invalid JSON"),
        (to_json(GONE)[:-1], "invalid JSON"),
        (b"\xff", "invalid JSON"),
        (b"[" * 100_000, "invalid JSON"),
        (b'{"version":NaN}', "invalid JSON: NaN is not a finite number"),
        (b'{"version":[-Infinity]}', "invalid JSON: -Infinity is not"),
        (b'{"version":1e999}', "invalid JSON: 1e999 is not"),
        (b"null", "expected an event, got null"),
        (b"[]", "expected an event, got a list"),
        (b'{"key":"k"}', r"event without a version: expected 1 to 1 @ \$\.version"),
        (replaced(version=0), "event without a version"),
        (replaced(version=True), "event without a version"),
        (replaced(version=2), "event of version 2: expected at most 1"),
        (replaced(type="JobPaused"), r"expected JobAppeared or .*, got 'JobPaused' @ \$\.type"),
        (replaced(type=["JobDeleted"]), r"expected JobAppeared or .*, got \['JobDeleted'\]"),
        (replaced(key=7), r"expected a string, got 7 @ \$\.key"),
        (replaced(project=None), "a whole number or a string"),
        (replaced(previous=None), r"expected a string, got null @ \$\.previous"),
        (b'{"version":1,"type":"JobErased","key":"k","project":1}', r"missing @ \$\.job"),
        (b'{"version":1,"type":"JobErased","key":"k","project":1,"job":[]}', "got a list"),
    ],
)
def test_invalid_event_is_refused_with_its_path(data, said):
    with pytest.raises(ValueError, match=said):
        from_json(data)


def test_event_of_another_type_is_refused():
    with pytest.raises(ValueError, match="event of type JobDeleted: expected JobFinished"):
        from_json(to_json(GONE), JobFinished)


@pytest.mark.parametrize("kind", [dict, int, "Job", Job | Bridge])
def test_kind_that_is_no_model_is_a_type_error(kind):
    with pytest.raises(TypeError, match="expected a class of models"):
        from_json("{}", kind)


def test_lists_and_mappings_of_models_are_written():
    listed = {"group/app": [RUNNING], 7: (), "status": RUNNING.status, "count": None}
    assert json.loads(to_json(listed)) == {
        "group/app": [to_dict(RUNNING)], "7": [], "status": "running", "count": None,
    }  # fmt: skip
    rows = json.loads(to_json([RUNNING, RUNNING]))
    assert [from_json(row, Job) for row in rows] == [RUNNING, RUNNING]


SECRET = "glpat-1234567890"


@pytest.mark.parametrize(
    "value",
    [
        *({RUNNING}, Job, b"x", RUNNING.created_at, [object()]),
        *(PrivateToken(SECRET), BearerToken(SECRET), {1: [JobToken(SECRET)]}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_value_that_is_no_model_is_a_type_error(value):
    with pytest.raises(TypeError, match="is not a model or an event"):
        to_json(value)


def test_pair_as_a_key_is_a_type_error():
    with pytest.raises(TypeError, match=r"keys must be str, int, .* not tuple"):
        to_json({("group/app", 7): RUNNING})


def test_bytes_are_a_type_error():
    with pytest.raises(TypeError, match="invalid value of type bytes"):
        to_json(TraceChunk(0, b"x"))


@given(st.binary(max_size=20) | st.text(max_size=20))
def test_any_text_is_read_or_refused(data):
    for kind in (None, Job, Pipeline):
        with pytest.raises(ValueError, match=r"."):
            from_json(data, kind)
