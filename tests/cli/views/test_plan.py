"""A forecast in sentences."""

import re

import pytest

from gitlab_jobs_async.cli.views.plan import sentences, spoken
from gitlab_jobs_async.monitor.forecast import forecast


def text(projects, busy, **limits):
    return "\n".join(sentences(projects, busy, forecast(projects, busy=busy, **limits)))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (39.8, "40 s"),
        (89.4, "89 s"),
        (100, "1.7 min"),
        (120, "2 min"),
        (600, "10 min"),
        (1298, "22 min"),
        (5399, "90 min"),
        (22_178, "6.2 h"),
        (360_000, "100 h"),
    ],
)
def test_duration_has_one_unit(seconds, words):
    assert spoken(seconds) == words


def test_both_ways_are_described():
    plan = forecast(900, busy=20, per_minute=100)
    said = "\n".join(sentences(900, 20, plan))
    graphql, _, rest = said.partition("By REST alone")
    assert "With GraphQL, which is asked about the idle projects" in graphql
    assert "questions by GraphQL" in graphql
    assert "It takes 90 requests a minute.\n" in rest
    for way, part in ((plan.graphql, graphql), (plan.rest, rest)):
        seen = f"first change is seen within {spoken(way.idle.most)}, half of them within "
        assert f"An idle project's {seen}{spoken(way.idle.median)}." in part
        assert f"busy project is seen within {spoken(way.busy.most)}, half" in part
        assert f"intervals are {way.stretch:.1f} times as long" in part
    first = [spoken(way.first_round) for way in (plan.graphql, plan.rest)]
    assert f"once, which takes {first[0]} ({first[1]} by REST alone)." in rest
    assert "--complete" not in said


def test_scan_says_what_complete_events_cost():
    said = text(10_000, 200, per_minute=100)
    assert "With GraphQL, which is asked about the jobs of all projects" in said
    assert re.search("--complete reads them by REST: about [0-9]+ requests .*, but only", said)
    assert "which fits into the limit" in text(3000, 2, per_minute=100)
    # They are listings, which have a limit of their own.
    assert "but only 526 are left" in text(10_000, 200, per_minute=2000)


def test_small_watch_mentions_one_way():
    said = text(1, 1)
    assert "1 project, 1 with running jobs" in said
    assert "GraphQL, which" not in said
    assert "An idle project" not in said
    assert "More requests" not in said
    assert "A change in a busy project" not in text(3, 0)


def test_binding_limit_of_listings_is_named():
    assert "Listings of jobs may use 540 of them" in text(1000, 20, per_minute=2000)
    assert "Listings" not in text(1000, 20, per_minute=600)


def test_scarcity_is_named():
    assert "More requests would help: intervals are" in text(900, 20, per_minute=100)
    assert "More requests would help" not in text(100, 1)
