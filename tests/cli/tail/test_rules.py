"""The rules of `tail`: times, slots of logs, sentences about ends, reports of outages."""

from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from gitlab_jobs_async import LogLine, TailedLine
from gitlab_jobs_async.cli.errors import CommandError
from gitlab_jobs_async.cli.tail.endings import ending
from gitlab_jobs_async.cli.tail.log_slots import LogSlots, SelectedJob
from gitlab_jobs_async.cli.tail.outages import OutageReports
from gitlab_jobs_async.cli.tail.since import LinesSince, parse_since
from gitlab_jobs_async.cli.views.job_labels import ShownJob
from gitlab_jobs_async.models import Job
from gitlab_jobs_async.models.statuses import FailureReason, JobStatus
from tests.support.clocks import JumpClock

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
JOB = Job(id=1, status=JobStatus.SUCCESS, stage="test", name="unit", started_at=NOW)
SHOWN = ShownJob("shop/app", 1, "unit")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("10m", NOW - timedelta(minutes=10)),
        ("1h30m", NOW - timedelta(minutes=90)),
        ("2d1s", NOW - timedelta(days=2, seconds=1)),
        ("0s", NOW),
        ("2026-11-27T10:00Z", NOW - timedelta(hours=2)),
        ("2026-11-27T13:00+02:00", NOW - timedelta(hours=1)),
        ("2026-11-26", datetime(2026, 11, 26).astimezone()),
    ],
)
def test_since_is_a_span_or_a_time(text, at):
    assert parse_since(text, NOW) == at


@pytest.mark.parametrize(
    "text", ["", "10", "m", "1m1h", "-5m", "2026-13-01", "2027-01-01T00:00Z", "999999d", "\u0661m"]
)
def test_other_times_are_refused(text):
    with pytest.raises(CommandError, match=r"--since .*: expected a span such as 90s"):
        parse_since(text, NOW)


def item(at=None, *, is_new=False, job_id=1):
    return TailedLine("shop/app", job_id, LogLine(1, "x", "x", at), is_new=is_new)


def test_lines_since_go_by_the_runners_times():
    since = LinesSince(NOW)
    before, after = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)
    # A line without a time belongs to the one before it.
    lines = [item(before), item(is_new=True), item(NOW), item(), item(after)]
    assert [since.has(one, before) for one in lines] == [False, False, True, True, True]
    assert not since.has(item(job_id=2), before)
    since.forget(1)
    assert not since.has(item(), before)


@pytest.mark.parametrize(
    ("started_at", "is_new", "is_shown"),
    [
        (NOW, False, True),
        (NOW - timedelta(seconds=1), False, False),
        (NOW - timedelta(seconds=1), True, True),
        (None, False, False),
    ],
)
def test_untimed_lines_go_by_the_jobs_start(started_at, is_new, is_shown):
    assert LinesSince(NOW).has(item(is_new=is_new), started_at) is is_shown


def selected(number):
    return SelectedJob("shop/app", evolve(JOB, id=number), SHOWN)


def test_slots_are_bounded_and_given_in_order():
    slots = LogSlots(2)
    jobs = [selected(number) for number in range(1, 6)]
    assert [slots.add(job) for job in jobs] == [jobs[0], jobs[1], None, None, None]
    assert slots.waiting == 3
    # An active, a waiting and an ended job are known.
    assert [slots.add(selected(1)), slots.add(selected(4))] == [None, None]
    assert slots.end(2) == (jobs[1], jobs[2])
    assert slots.add(selected(2)) is None
    assert slots.end(1) == (jobs[0], jobs[3])
    assert slots.end(3) == (jobs[2], jobs[4])
    assert slots.end(5) == (jobs[4], None)
    assert (slots.waiting, slots.add(selected(9)) is not None) == (0, True)


def test_only_newest_ended_jobs_are_remembered(monkeypatch):
    monkeypatch.setattr("gitlab_jobs_async.cli.tail.log_slots._MOST_REMEMBERED", 3)
    slots = LogSlots(2)
    slots.add(selected(1))
    for number in range(2, 7):
        slots.add(selected(number))
        slots.end(number)
    assert [slots.add(selected(number)) is None for number in (1, 4, 5, 6)] == [True] * 4
    assert slots.add(selected(2)) is not None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"duration": 192.0}, "shop/app unit 1 succeeded after 3m 12s"),
        ({"finished_at": NOW + timedelta(seconds=7)}, "shop/app unit 1 succeeded after 7s"),
        (
            {"status": JobStatus.FAILED, "failure_reason": FailureReason("script_failure")},
            "shop/app unit 1 failed (script_failure)",
        ),
        ({"status": JobStatus.CANCELED, "duration": 1.0}, "shop/app unit 1 was canceled after 1s"),
        ({"status": JobStatus.RUNNING}, "shop/app unit 1 has no more lines"),
    ],
)
def test_ending_says_how_a_job_ended(changes, sentence):
    assert ending(SHOWN, evolve(JOB, **changes)) == sentence


def test_an_outage_is_reported_once():
    clock = JumpClock()
    reports = OutageReports(clock)
    assert [reports.is_first(), reports.is_first()] == [True, False]
    clock.stepped.advance(300)
    assert not reports.is_first()
    reports.succeeded()
    # Another one within a minute is still the same.
    assert not reports.is_first()
    reports.succeeded()
    clock.stepped.advance(61)
    assert reports.is_first()
