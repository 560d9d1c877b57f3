"""The table of keys: its footer, its bindings, and the page of the guide."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.cli.fullscreen.app import WatchApp
from gitlab_jobs_async.cli.fullscreen.keys import LOG_KEYS, TREE_KEYS, footer_keys, footer_width
from gitlab_jobs_async.cli.fullscreen.log_screen import LogScreen
from gitlab_jobs_async.cli.fullscreen.tree_screen import TreeScreen

PAGE = Path(__file__).parents[3] / "gitlab_jobs_async" / "guide" / "full-screen.md"
TABLES = [(TREE_KEYS, TreeScreen), (LOG_KEYS, LogScreen)]


@pytest.mark.parametrize(("keys", "screen"), TABLES)
def test_each_key_has_one_action(keys, screen):
    names = [name for key in keys for name in key.keys.split(",")]
    assert len(names) == len(set(names))
    for key in keys:
        place, _, action = key.action.partition("(")[0].rpartition(".")
        assert hasattr(WatchApp if place == "app" else screen, f"action_{action}"), key


@given(st.sampled_from([TREE_KEYS, LOG_KEYS]), st.integers(20, 200))
def test_footer_fits_and_names_the_help(keys, width):
    shown = footer_keys(keys, width)
    assert shown[-1].action == "help"
    assert sum(map(footer_width, shown)) <= width
    named = [key for key in keys if key.short]
    assert len(shown) == len(named) or sum(map(footer_width, named)) > width


def test_guide_has_the_tables_of_keys():
    page = PAGE.read_text()
    rows = re.findall(r"^\| (`.*`) \| (.*) \|$", page, re.M)
    shown = [(key.shown, key.words) for keys, _ in TABLES for key in keys]
    assert [(keys.replace("`", ""), words) for keys, words in rows] == shown
