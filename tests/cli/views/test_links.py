"""Links in a terminal: which terminals show them, and what they may lead to."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from gitlab_jobs_async.cli.views.links import safe_link, supports_links
from gitlab_jobs_async.cli.views.pipeline_columns import PIPELINE_COLUMNS
from gitlab_jobs_async.cli.views.tables import rows_table
from gitlab_jobs_async.models.pipelines import PipelineBasic
from gitlab_jobs_async.models.statuses import JobStatus


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"TERM": "xterm-256color"}, False),
        ({"TERM": "linux"}, False),
        ({"TERM": "xterm-kitty"}, True),
        ({"TERM": "xterm", "VTE_VERSION": "7200"}, True),
        ({"TERM": "xterm", "VTE_VERSION": "4600"}, False),
        ({"TERM_PROGRAM": "WezTerm"}, True),
        ({"TERM_PROGRAM": "Apple_Terminal"}, False),
        ({"TERM_PROGRAM": "tmux", "TERM_PROGRAM_VERSION": "3.4", "TERM": "tmux-256color"}, True),
        ({"TERM_PROGRAM": "tmux", "TERM_PROGRAM_VERSION": "3.3a", "VTE_VERSION": "7200"}, False),
        ({"TERM_PROGRAM": "tmux"}, False),
        ({"WT_SESSION": "x"}, True),
        ({"KONSOLE_VERSION": "230401"}, True),
        ({"FORCE_HYPERLINK": "1"}, True),
        ({"FORCE_HYPERLINK": "0", "TERM": "xterm-kitty"}, False),
    ],
)
def test_links_are_for_capable_terminals(environ, expected):
    assert supports_links(environ) is expected


def test_link_is_a_printable_web_page():
    page = "https://gitlab.example.com/a/b/-/jobs/4"
    assert safe_link(page) == page
    for url in (
        "",
        "javascript:alert(1)",
        "file:///x",
        "https://h/\x1b\\\x07",
        "https://h/ü",
        "a b",
    ):
        assert safe_link(url) is None


@pytest.mark.parametrize("links", [False, True])
def test_ids_lead_to_their_pages(links):
    row = PipelineBasic(id=7, status=JobStatus.FAILED, web_url="https://h/a/b/-/pipelines/7")
    evil = PipelineBasic(id=8, status=JobStatus.FAILED, web_url="https://h/\x1b]8;;x\x07")
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="truecolor", width=200)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    console.print(rows_table(PIPELINE_COLUMNS[:4], [("a/b", row), ("a/b", evil)], now, links=links))
    assert (";https://h/a/b/-/pipelines/7\x1b\\" in out.getvalue()) is links
    assert "https://h/\x1b" not in out.getvalue()
    assert out.getvalue().count("\x1b]8;") == (2 if links else 0)
