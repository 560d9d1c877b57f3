"""Patterns of the user against texts of jobs: bounded in time, and never hiding by it."""

import signal
import time

import pytest

from gitlab_jobs_async.cli.errors import CommandError
from gitlab_jobs_async.cli.patterns import Pattern, parse_patterns, passes

HOSTILE = {
    "nested": (r"(a+)+$", "a" * 40 + "b"),
    "alternatives": (r"(a|aa)+$", "a" * 60 + "b"),
    "polynomial": (r"a.*a.*a.*a.*x", "a" * 4096),
    "spans": (r"(?:a?a?)*?b", "a" * 4096),
}


@pytest.mark.parametrize(("expression", "text"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_search_is_bounded(expression, text, caplog, monkeypatch):
    monkeypatch.setattr("gitlab_jobs_async.cli.patterns._LIMIT", 0.01)
    pattern = Pattern.parse("--grep", expression)
    began = time.process_time()
    results = [pattern.matches(text) for _ in range(9)] + [pattern.spans(text)]
    assert results == [None] * 9 + [()]
    assert caplog.messages == [
        f"--grep {expression!r} takes too long on these texts: not applied any more"
    ]
    # Even matching texts are left alone now, and no time is spent.
    assert [pattern.matches("ab" * 5) for _ in range(100)] == [None] * 100
    assert time.process_time() - began < 2.0
    assert signal.getitimer(signal.ITIMER_VIRTUAL)[0] == 0.0


def test_slow_search_hides_nothing():
    slow = Pattern.parse("--grep", "(a+)+$")
    text = "a" * 40 + "b"
    assert passes(text, [slow], ())
    assert passes(text, (), [slow])
    assert not passes(text, [Pattern.parse("--grep", "c")], [slow])


def test_long_text_is_searched_at_its_start():
    pattern = Pattern.parse("--grep", "x")
    assert pattern.matches("a" * 4095 + "x")
    assert pattern.matches("a" * 4096 + "x") is False
    assert pattern.spans("x" * 5000)[-1] == (4095, 4096)


@pytest.mark.parametrize(
    ("text", "wanted", "excluded", "is_shown"),
    [
        ("unit", [], [], True),
        ("unit", ["^u", "x"], [], True),
        ("unit", ["x"], [], False),
        ("unit", ["u"], ["t$"], False),
        ("unit", [], ["x"], True),
    ],
)
def test_one_wanted_and_none_excluded(text, wanted, excluded, is_shown):
    assert passes(text, parse_patterns("-", wanted), parse_patterns("-", excluded)) is is_shown


@pytest.mark.parametrize("text", ["(", "a{99999999999}", "[z-a]", "(?P<x"])
def test_invalid_pattern_is_a_usage_error(text):
    with pytest.raises(CommandError, match=r"--jobs .*: expected a regular expression: "):
        Pattern.parse("--jobs", text)
