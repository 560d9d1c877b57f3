"""Pauses and refusals of a whole monitor are emitted once, until they end."""

import pytest

from gitlab_jobs_async import NotFoundError, RequestBudget
from gitlab_jobs_async.events import AllTargetsUnreachable
from gitlab_jobs_async.monitor.announcer import Announcer
from gitlab_jobs_async.monitor.checkpoint.outbox import Outbox
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability

REFUSAL = NotFoundError(404, "404 Project Not Found", "GET", "https://gitlab.example.com/")


def refused(name):
    availability = TargetAvailability(name, name)
    availability.on_error(REFUSAL)
    return availability


def announcer_of(*names):
    outbox = Outbox(None)
    announcer = Announcer(RequestBudget(), outbox)
    for name in names:
        announcer.polled(name, refused(name))
    return announcer, outbox


@pytest.mark.parametrize(("targets", "events"), [(0, 0), (1, 1), (2, 1), (3, 0)])
def test_refusal_of_all_targets_is_emitted(targets, events):
    announcer, outbox = announcer_of("a", "b")
    announcer.announce_targets(targets, 1.0)
    assert len(outbox) == events


def test_refusal_is_emitted_once():
    announcer, outbox = announcer_of("a")
    for now in (1.0, 2.0):
        announcer.announce_targets(1, now)
    assert len(outbox) == 1
    announcer.announce_targets(2, 3.0)
    announcer.announce_targets(1, 4.0)
    assert len(outbox) == 2


@pytest.mark.parametrize("how", ["drop", "success"])
def test_refusal_ends_by_drop_or_success(how):
    announcer, outbox = announcer_of("a")
    if how == "drop":
        announcer.drop("a")
    else:
        announcer.polled("a", TargetAvailability("a", "a"))
    announcer.announce_targets(1, 1.0)
    assert len(outbox) == 0


async def test_event_names_the_refusal():
    announcer, outbox = announcer_of("a")
    announcer.announce_targets(1, 1.5)
    outbox.finish()
    (event,) = [event async for event in outbox.events()]
    assert isinstance(event, AllTargetsUnreachable)
    assert (event.key, event.targets, event.status) == ("monitor/1.500/all_unreachable", 1, 404)
    assert "404 Project Not Found" in event.reason
