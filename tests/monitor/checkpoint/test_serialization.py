"""States round-trip through JSON, and anything else is refused."""

import json
import math
from collections.abc import Mapping
from datetime import datetime

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitlab_jobs_async import Job, JobStatus, LogLine, Pipeline
from gitlab_jobs_async.events import (
    ProjectUnreachable,
)
from gitlab_jobs_async.logs.parser import LogParser
from gitlab_jobs_async.models import Commit, Section
from gitlab_jobs_async.monitor.checkpoint.serialization import (
    dumps,
    loads,
)
from tests.support.model_values import values


@attrs.frozen
class Everything:
    """One field of each type that a state may have."""

    number: int
    pairs: tuple[tuple[int, str], ...]
    either: int | str
    jobs: tuple[Job, ...] = ()
    one: Job | None = None
    worth: float | str | None = None
    at: datetime | None = None
    status: JobStatus = JobStatus.CREATED
    options: Mapping[str, str] = attrs.field(factory=dict)
    due: float = math.inf


many = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@many
@given(values(Everything))
def test_states_round_trip(state):
    assert loads(dumps(state), Everything) == state


@given(values(datetime))
def test_time_keeps_microseconds_and_offset(at):
    line = LogLine(1, "", "", at)
    back = loads(dumps(line), LogLine).at
    assert (back, back.utcoffset()) == (at, at.utcoffset())


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


def test_default_values_are_omitted():
    job = Job(id=1, status=JobStatus.RUNNING, stage="test", name="a")
    assert json.loads(dumps(job)) == {"id": 1, "status": "running", "stage": "test", "name": "a"}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('"pairs":[[1]]', "expected a list of 2"),
        ('"pairs":[[1,2]]', r"expected a string, got 2 @ \$\.pairs"),
        ('"either":true', "expected a whole number or a string, got True"),
        ('"options":[]', "expected an object, got a list"),
        ('"options":{"a":1}', r"expected a string, got 1 @ \$\.options"),
        ('"one":[]', "expected an object, got a list"),
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
