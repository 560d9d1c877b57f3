"""Events and states round-trip through JSON, and anything else is refused."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import TypeVar, get_args, get_origin

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitlab_jobs_async import Bridge, FailureReason, Job, JobStatus, LogLine, Pipeline
from gitlab_jobs_async.api.value_types import is_union
from gitlab_jobs_async.events import (
    Event,
    JobAppeared,
    JobChanged,
    JobDeleted,
    JobLogLine,
    ProjectUnreachable,
)
from gitlab_jobs_async.logs.parser import LogParser
from gitlab_jobs_async.models import Commit, Section
from gitlab_jobs_async.monitor.checkpoint.serialization import (
    dump_event,
    dumps,
    load_event,
    loads,
)

OFFSETS = st.integers(-86_399, 86_399).map(lambda seconds: timezone(timedelta(seconds=seconds)))
CHARACTERS = st.text(st.characters(exclude_categories=()), max_size=8)
"""With lone surrogates, which messages of the system may contain."""

KNOWN = {
    int: st.integers(),
    str: CHARACTERS,
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
    type(None): st.none(),
    datetime: st.datetimes(timezones=OFFSETS | st.just(UTC)),
    JobStatus: st.sampled_from(JobStatus) | CHARACTERS.map(JobStatus),
    FailureReason: st.sampled_from(FailureReason) | CHARACTERS.map(FailureReason),
}


@cache
def values(kind):
    """Return a strategy for every value that the annotation *kind* allows."""
    if kind in KNOWN:
        return KNOWN[kind]
    kind = kind.__bound__ if isinstance(kind, TypeVar) else kind
    args = get_args(kind)
    if is_union(kind):
        return st.one_of(*map(values, args))
    if attrs.has(kind):
        fields = {field.alias: values(field.type) for field in attrs.fields(kind)}
        return st.deferred(lambda: st.builds(kind, **fields))
    if get_origin(kind) is tuple:
        if args[-1] is Ellipsis:
            return st.lists(values(args[0]), max_size=3).map(tuple)
        return st.tuples(*map(values, args))
    assert get_origin(kind) is Mapping, kind
    return st.dictionaries(*map(values, args), max_size=3)


@attrs.frozen
class Everything:
    """One field of each type that a state may have."""

    number: int
    pairs: tuple[tuple[int, str], ...]
    either: int | str
    jobs: tuple[Job | Bridge, ...] = ()
    one: Job | Bridge | None = None
    worth: float | str | None = None
    at: datetime | None = None
    status: JobStatus = JobStatus.CREATED
    options: Mapping[str, str] = attrs.field(factory=dict)
    due: float = math.inf


many = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@many
@given(st.sampled_from(get_args(Event)).flatmap(values))
def test_events_round_trip(event):
    back = load_event(dump_event(event))
    assert back == event
    assert type(back) is type(event)
    if hasattr(event, "job"):
        assert type(back.job) is type(event.job)


@many
@given(values(Everything))
def test_states_round_trip(state):
    assert loads(dumps(state), Everything) == state


@given(values(datetime))
def test_time_keeps_microseconds_and_offset(at):
    line = LogLine(1, "", "", at)
    back = loads(dumps(line), LogLine).at
    assert (back, back.utcoffset()) == (at, at.utcoffset())


@given(st.lists(st.binary(max_size=30), max_size=5))
def test_lines_of_any_bytes_round_trip(chunks):
    job = Job(id=1, status=JobStatus.RUNNING, stage="test", name="a")
    parser = LogParser()
    lines = [line for chunk in chunks for line in parser.feed(chunk)] + parser.close()
    for line in lines:
        event = JobLogLine(key="k", project=1, job=job, line=line)
        assert load_event(dump_event(event)) == event


def test_line_keeps_its_sections():
    log = (
        b"2026-08-01T10:00:00.000001Z 00O section_start:1700000000:build[collapsed=true]\r\x1b[0K\n"
        b"2026-08-01T10:00:00.000002Z 00O section_end:1700000009:build\r\x1b[0K\n"
    )
    parser = LogParser()
    lines = parser.feed(log) + parser.close()
    markers = [marker for line in lines for marker in line.markers]
    assert [marker.duration for marker in markers] == [None, 9]
    assert markers[0].options == {"collapsed": "true"}
    assert [loads(dumps(line), LogLine) for line in lines] == lines
    assert [loads(dumps(marker), Section) for marker in markers] == markers


def test_unknown_values_of_a_newer_server_survive():
    job = Job(
        id=1,
        status=JobStatus("postponed"),
        stage="test",
        name="a",
        failure_reason=FailureReason("sunspots"),
    )
    event = JobChanged(key="k", project="group/app", job=job, previous=JobStatus("dreaming"))
    back = load_event(dump_event(event))
    assert back == event
    assert not back.job.status.is_finished


def test_job_of_graphql_stays_partial():
    job = Job(id=1, status=JobStatus.RUNNING, stage="test", name="a", is_partial=True)
    written = dump_event(JobAppeared(key="k", project=1, job=job))
    assert json.loads(written)["job"]["is_partial"] is True
    assert load_event(written).job == job


def test_default_values_are_omitted():
    job = Job(id=1, status=JobStatus.RUNNING, stage="test", name="a")
    assert json.loads(dump_event(JobAppeared(key="k", project=1, job=job))) == {
        "_class": "JobAppeared",
        "key": "k",
        "project": 1,
        "job": {"_class": "Job", "id": 1, "status": "running", "stage": "test", "name": "a"},
    }


GONE = dump_event(JobDeleted(key="k", project=1, job_id=1, name="a", previous=JobStatus.RUNNING))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "invalid JSON"),
        (GONE[:-1], "invalid JSON"),
        (b"\xff", "invalid JSON"),
        (b"[" * 100_000, "invalid JSON"),
        (b"null", "expected JobAppeared or .*, got null"),
        (b"[]", "expected JobAppeared or .*, got a list"),
        (b'{"key":"k"}', "expected JobAppeared or .*, got an object"),
        (b'{"_class":"JobPaused","key":"k"}', "expected JobAppeared or .*, got class 'JobPaused'"),
        (b'{"_class":["JobDeleted"]}', "expected JobAppeared or .*, got an object"),
        (GONE.replace(b'"k"', b"7"), r"expected a string, got 7 @ \$\.key"),
        (GONE.replace(b'"project":1', b'"project":null'), "a whole number or a string"),
        (GONE.replace(b'"running"', b"null"), r"expected a string, got null @ \$\.previous"),
        (GONE.replace(b'"job_id":1,', b""), r"required field missing @ \$\.job_id"),
        (
            b'{"_class":"JobErased","key":"k","project":1,"job":{"id":1}}',
            "expected Job or Bridge, got an object",
        ),
    ],
)
def test_invalid_event_is_refused_with_its_path(data, said):
    with pytest.raises(ValueError, match=said):
        load_event(data)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('"pairs":[[1]]', "expected a list of 2"),
        ('"pairs":[[1,2]]', r"expected a string, got 2 @ \$\.pairs"),
        ('"either":true', "expected a whole number or a string, got True"),
        ('"options":[]', "expected an object, got a list"),
        ('"options":{"a":1}', r"expected a string, got 1 @ \$\.options"),
        ('"one":[]', "expected Job or Bridge, got a list"),
        ('"due":null', "expected a number, got null"),
        ('"at":"noon"', "expected an ISO 8601 time"),
    ],
)
def test_invalid_state_is_refused_with_its_path(written, said):
    whole = {"number": 1, "pairs": [], "either": 1} | json.loads(f"{{{written}}}")
    with pytest.raises(ValueError, match=said):
        loads(json.dumps(whole).encode(), Everything)


@given(st.binary(max_size=20) | st.text(max_size=20).map(str.encode))
def test_any_bytes_are_read_or_refused(data):
    for kind in (Job, Commit, Pipeline, Everything):
        with pytest.raises(ValueError, match=r"."):
            loads(data, kind)


def test_unsupported_value_is_a_type_error():
    with pytest.raises(TypeError):
        dumps(ProjectUnreachable(key="k", project=1, reason=b"bytes"))
