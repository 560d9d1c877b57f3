"""A forecast in sentences."""

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
    said = text(1000, 20, per_minute=100)
    graphql, _, rest = said.partition("By REST alone")
    assert "With GraphQL, which is asked about the idle projects" in graphql
    assert "An idle project's first change is seen within 40 s, half" in graphql
    assert "questions by GraphQL" in graphql
    assert "An idle project's first change is seen within 22 min, half" in rest
    assert "It takes 90 requests a minute.\n" in rest
    assert "The first start lists the jobs of each project once, which takes 11 min." in rest
    assert "complete=True" not in said


def test_scan_says_what_complete_events_cost():
    said = text(10_000, 200, per_minute=100)
    assert "With GraphQL, which is asked about the jobs of all projects" in said
    assert "complete=True lists them by REST: about 200 requests a minute more, but only" in said
    assert "which fits into the limit" in text(10_000, 2, per_minute=100)


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
    assert "intervals are 6.6 times as long" in text(1000, 20, per_minute=100)
    assert "More requests would help" not in text(100, 1)
