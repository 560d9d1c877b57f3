"""Waterfalls: on terminals of any width, in pipes, as pictures and as pages."""

import io
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from gitlab_jobs_async.cli.waterfall.glyphs import ASCII, UNICODE
from gitlab_jobs_async.cli.waterfall.html import timeline_html
from gitlab_jobs_async.cli.waterfall.live import glyphs_of, show_live
from gitlab_jobs_async.cli.waterfall.rows import FoldedRow, JobRow, PipelineRow, StageRow, chart_of
from gitlab_jobs_async.cli.waterfall.svg import timeline_svg
from gitlab_jobs_async.cli.waterfall.terminal import waterfall_lines
from gitlab_jobs_async.cli.waterfall.words import describe, path_lines, ticks
from gitlab_jobs_async.models import Bridge
from gitlab_jobs_async.pipelines.timeline import timelines_of
from gitlab_jobs_async.pipelines.tree import Downstream, PipelineTree
from tests.support.command import HOSTILE_NAME, NASTY
from tests.support.timelines import START, job, jobs, timeline, tree

PAGE = "https://gitlab.example.com/group/app/-/jobs/2"


def small(**options):
    """A pipeline with a retry, a manual job, a failure that is allowed, and a job never started."""
    return timeline(
        job(1, "compile", stage="build", times=(0, 4, 100), queued_duration=4.0),
        job(2, "unit", status="failed", times=(0, 110, 150), queued_duration=10.0, web_url=PAGE),
        job(3, "lint", status="failed", times=(0, 105, 110), allow_failure=True),
        job(5, "unit", times=(160, 165, 200), queued_duration=5.0),
        job(4, "deploy", stage="deploy", status="manual"),
        finished=200,
        **options,
    )


def many(count=200):
    """A pipeline of quick jobs with one that failed and one that is slow."""
    quick = [job(n, f"job {n}", times=(0, 1, 2 + n / count)) for n in range(1, count)]
    slow = job(count, "slow", times=(0, 1, 90))
    failed = job(count + 1, "broken", status="failed", times=(0, 1, 2))
    return timeline(*quick, slow, failed)


def nested():
    """A pipeline whose trigger job has created another one."""
    # A tree of another pipeline, with an id of its own.
    below = tree(job(30, "image", stage="build", times=(12, 13, 40)), created=12)
    pipeline = tree(job(1, "compile", stage="build", times=(0, 1, 10)))
    bridge = job(4, "images", kind=Bridge, times=(0, 10, 40))
    whole = PipelineTree(
        pipeline=pipeline.pipeline,
        jobs=pipeline.jobs,
        downstream=(Downstream(bridge=bridge, tree=below),),
    )
    return timelines_of(whole, {}, START + 50, START + 50)


def lines(found, width=80, glyphs=UNICODE, height=None, room=None):
    drawn = waterfall_lines(chart_of(found, room), width, glyphs, height)
    return [line.plain.rstrip() for line in drawn]


@pytest.mark.parametrize("width", [80, 120, 200])
def test_rows_line_up_and_name_the_critical_path(width):
    found = lines([small()], width)
    axis = next(line for line in found if "│0s" in line)
    compiled = next(line for line in found if "compile" in line)
    assert compiled.startswith("◆ ✓ 1 compile")
    assert compiled.index("░") == axis.index("│0s")
    assert compiled.endswith("1m 36s")
    assert any(line.startswith("◆ ✓ 5 unit ↻1") and "▓" in line for line in found)
    assert any(line.startswith("  ▸ 4 deploy") for line in found)
    assert "◆ compile → unit → unit ↻" in found
    assert any(re.search(r"running +2m 51s +86%", line) for line in found)
    assert any("by stages (needs unknown)" in line for line in found)


def test_ascii_replaces_every_character():
    found = lines([small()], 100, ASCII)
    assert "".join(found).isascii()
    assert any(line.startswith("* + 5 unit @1") and "xxx" in line for line in found)


def test_locale_without_unicode_gets_ascii(monkeypatch):
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert glyphs_of(is_ascii=False) is ASCII
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert glyphs_of(is_ascii=False) is UNICODE
    assert glyphs_of(is_ascii=True) is ASCII


def test_short_jobs_of_a_large_pipeline_fold():
    """Jobs that failed, were retried or are critical stay; the shortest fold first."""
    found = many()
    chart = chart_of([found], 20)
    assert len(chart.rows) == 20
    shown = [row.job.name for row in chart.rows if isinstance(row, JobRow)]
    assert {"slow", "broken", "job 199", "job 184"} <= set(shown)
    (folded,) = (row for row in chart.rows if isinstance(row, FoldedRow))
    assert folded.words == "183 more: 183 success"
    assert len(shown) + len(folded.jobs) == len(found.jobs)
    assert len(chart_of([found]).rows) == 202


@pytest.mark.parametrize(("glyphs", "time"), [(UNICODE, "≤1m 15s"), (ASCII, "<=1m 15s")])
def test_folded_jobs_are_named_and_timed_whole(glyphs, time):
    quick = [job(n, f"j{n}", times=(0, 1, 76)) for n in range(1, 5)]
    found = lines([timeline(*quick, job(5, "slow", times=(0, 1, 90)))], 80, glyphs, room=3)
    (folded,) = (line for line in found if "4 more: 4 success" in line)
    assert folded.endswith(f" {time}")


def test_folding_spares_critical_and_single_jobs():
    """A row in place of a single job saves nothing."""
    single = [job(n, f"only {n}", stage=f"s{n}", times=(0, 1, 2)) for n in range(1, 6)]
    rows = chart_of([timeline(*single)], 3).rows
    assert not [row for row in rows if isinstance(row, FoldedRow)]
    setup = [job(n, f"setup {n}", stage="a", times=(0, 1, 2)) for n in (1, 2)]
    setup.append(job(3, "setup 3", stage="a", times=(0, 2.5, 2.6)))
    last = [job(n, f"last {n}", stage="b", times=(0, 3, 50)) for n in (4, 5, 6)]
    rows = chart_of([timeline(*setup, *last)], 7).rows
    shown = [row.job.name for row in rows if isinstance(row, JobRow)]
    assert shown == ["setup 3", "last 4", "last 5", "last 6"]


def test_shortest_run_is_seen():
    found = lines([timeline(job(1, "a", times=(0, 10, 10.5)), job(2, "b", times=(0, 1, 900)))])
    assert "█" in next(line for line in found if " 1 a" in line)


def test_downstream_follows_its_trigger():
    rows = chart_of(nested()).rows
    names = [
        (row.depth, row.job.name if isinstance(row, JobRow) else type(row).__name__) for row in rows
    ]
    assert names == [
        (0, "StageRow"), (0, "compile"), (0, "StageRow"), (0, "images"), (1, "PipelineRow"),
        (1, "StageRow"), (1, "image"),
    ]  # fmt: skip
    assert isinstance(rows[4], PipelineRow)
    assert isinstance(rows[5], StageRow)
    shown = lines(nested())
    assert "◆ compile → images → image" in shown
    assert any(line.startswith("◆ ✓ 30   image") for line in shown)
    assert any(line.startswith("all jobs:  running 36s") for line in shown)
    assert path_lines(chart_of(nested()), 18) == ["compile → images →", "image"]


@settings(max_examples=60)
@given(
    jobs=jobs(),
    width=st.integers(20, 200),
    height=st.none() | st.integers(3, 40),
    name=NASTY,
    glyphs=st.sampled_from((UNICODE, ASCII)),
)
def test_any_timeline_fits_and_is_well_formed(jobs, width, height, name, glyphs):
    found = timeline(*jobs, job(99, name, status="failed", times=(0, 1, 9)))
    chart = chart_of([found], 5)
    drawn = waterfall_lines(chart, width, glyphs, height)
    assert all(line.cell_len <= width for line in drawn)
    assert height is None or len(drawn) <= height
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202e]", "".join(line.plain for line in drawn))
    ET.fromstring(timeline_svg(chart))
    assert timeline_html(chart).endswith("</html>\n")


class Page(HTMLParser):
    """Collects the tags with their attributes, and all text."""

    def __init__(self, document):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(document)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


EVIL = f"\ufffe\uffff</script><script>alert(1)</script>\" onload='x' & {HOSTILE_NAME}"


@pytest.mark.parametrize("draw", [timeline_svg, timeline_html])
def test_hostile_texts_stay_text(draw):
    """No tag, attribute, script or link of a server's text gets into a picture or a page."""
    evil = job(
        7, EVIL, stage=EVIL, status="failed", times=(0, 1, 9), web_url="javascript:alert(1)",
        failure_reason=EVIL,
    )  # fmt: skip
    document = draw(chart_of([timeline(evil, job(2, "unit", times=(0, 1, 5), web_url=PAGE))]))
    page = Page(document)
    assert "script" not in {tag for tag, _ in page.tags}
    assert any("</script><script>alert(1)</script>" in text for text in page.text)
    names = {name for _, attributes in page.tags for name in attributes}
    assert not {name for name in names if name.startswith("on")}
    assert not names & {"src", "srcset", "data", "style", "xlink:href"}
    links = {attributes["href"] for _, attributes in page.tags if "href" in attributes}
    assert links == {PAGE}
    assert "url(" not in document
    assert "@import" not in document
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]", document
    )


def test_page_forbids_all_that_could_be_loaded():
    page = Page(timeline_html(chart_of([small()])))
    (policy,) = (
        attributes["content"]
        for _, attributes in page.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("seconds", "most", "expected"),
    [
        (0.0, 5, ["0s"]),
        (4.0, 5, ["0s", "1s", "2s", "3s", "4s"]),
        (200.0, 4, ["0s", "1m", "2m", "3m"]),
        (7500.0, 5, ["0s", "30m", "1h 00m", "1h 30m", "2h 00m"]),
        (86_400.0 * 40, 5, ["0s", "216h 00m", "432h 00m", "648h 00m", "864h 00m"]),
    ],
)
def test_ticks_have_round_distances(seconds, most, expected):
    assert [label for _, label in ticks(seconds, most)] == expected


def test_title_of_a_bar_is_a_sentence():
    first = next(one for one in small().attempts() if one.job.id == 2)
    assert describe(first) == (
        "unit, job 2, failed, retried, on the critical path: "
        "waiting for earlier jobs 1m 40s; in the queue for a runner 10s; running 40s"
    )


async def followed(*timelines):
    for one in timelines:
        yield [one]


async def test_live_waterfall_leaves_the_screen():
    """An ended pipeline never switches to the other screen; a running one switches back."""
    running = timeline(job(1, "a", status="running", times=(0, 1, None)), status="running")
    for shown, switches in (((small(),), 0), ((running, running, small()), 1)):
        out = io.StringIO()
        console = Console(file=out, width=80, height=24, force_terminal=True)
        assert await show_live(console, followed(*shown), UNICODE) == [shown[-1]]
        assert out.getvalue().count("\x1b[?1049h") == switches
        assert out.getvalue().count("\x1b[?1049l") == switches


def test_cells_of_wide_names_are_counted():
    found = lines([timeline(job(1, "日本語" * 20, times=(0, 1, 9)))], 80)
    assert max(map(cell_len, found)) <= 80
