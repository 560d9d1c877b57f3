"""Rows of the full screen: order, folding, filter, and a selection that stays on its row."""

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_jobs_async.cli.fullscreen.folding import Folding, Selection
from gitlab_jobs_async.cli.fullscreen.lines import Columns, row_line
from gitlab_jobs_async.cli.fullscreen.overview import Overview
from gitlab_jobs_async.cli.fullscreen.query import Query
from gitlab_jobs_async.cli.fullscreen.tree import build_tree, natural
from gitlab_jobs_async.cli.fullscreen.tree_row import next_failed
from gitlab_jobs_async.models.statuses import JobStatus
from tests.support.command import HOSTILE_NAME
from tests.support.sample_events import NOW, appeared, bridge, finished, job, pipeline

STATUSES = ("created", "pending", "running", "success", "failed", "canceled", "manual", "new_one")
STAGES = ("build", "test")
NAMES = ("a", "b 2", "b 10")
CHANGES = st.lists(
    st.tuples(
        st.integers(1, 4),  # pipeline
        st.sampled_from(STAGES),
        st.sampled_from(NAMES),
        st.sampled_from(STATUSES),
        st.booleans(),  # a new attempt
    ),
    max_size=25,
)


def apply(overview, changes, first_id=1):
    """Add jobs; pipelines 1 and 2 belong to one project, 3 and 4 to another."""
    for number, (place, stage, name, status, is_retry) in enumerate(changes):
        key = place * 100 + STAGES.index(stage) * 10 + NAMES.index(name)
        job_id = first_id + (10_000 + number if is_retry else key)
        one = job(job_id, f"{stage} {name}", status, pipeline_id=place, stage=stage)
        overview.on_event(appeared(one, project=f"shop/{(place + 1) // 2}"), NOW)
    return overview


def rows_of(overview, folding=None, text="", kept=None):
    return build_tree(overview, folding or Folding(), Query.parse(text), NOW, kept=kept).rows


@given(CHANGES, CHANGES, st.integers(0, 60))
@settings(max_examples=60)
def test_selection_stays_on_its_row(before, after, place):
    overview, selection = apply(Overview(), before), Selection(is_fixed=False)
    selection.move_to(place, rows_of(overview))
    key = selection.key
    rows = rows_of(apply(overview, after))
    selection.find_in(rows)
    if any(row.key == key for row in rows):
        assert rows[selection.index].key == key
    else:  # a pipeline that has ended folds, and the first row of an empty list is selected
        assert key is None or rows[selection.index].kind in {"pipeline", "project"}


@given(CHANGES, CHANGES, st.integers(0, 60))
@settings(max_examples=60)
def test_filter_keeps_the_selected_row(before, after, place):
    """The next key is meant for it, although its status has changed."""
    overview, selection = apply(Overview(), before), Selection(is_fixed=False)
    selection.move_to(place, rows_of(overview, text="failed"))
    key = selection.key
    rows = rows_of(apply(overview, after), text="failed", kept=key)
    selection.find_in(rows)
    if key is not None and key[0] in {"job", "pipeline"}:
        assert rows[selection.index].key == key
    hidden = [row for row in rows if row.job and row.job.job.status != JobStatus.FAILED]
    assert all(row.key == key for row in hidden)


@given(CHANGES, st.lists(st.integers(0, 60), max_size=6))
@settings(max_examples=60)
def test_folding_hides_exactly_what_is_below(changes, places):
    overview, folding = apply(Overview(), changes), Folding()
    folding.set_all(is_open=True)
    every = rows_of(overview, folding)
    jobs = {row.job.job.id for row in every if row.job}
    assert jobs == {
        one.job.id for row in overview.board.pipelines.values() for one in row.jobs.values()
    }
    for place in places:
        if place < len(every):
            folding.set(every[place].key, is_open=False)
    shown = rows_of(overview, folding)
    closed = {row.key for row in shown if row.is_open is False}
    expected = [row.key for row in every if not closed & set(row.enclosing)]
    assert [row.key for row in shown] == expected
    folding.set_all(is_open=False)
    assert all(row.depth == 0 for row in rows_of(overview, folding))


@given(CHANGES, st.sampled_from(["failed", "b 10", "TEST a", "shop/2 running", "#3", "nothing"]))
@settings(max_examples=60)
def test_filter_shows_matches_and_their_parents(changes, text):
    overview = apply(Overview(), changes)
    folding = Folding()
    folding.set_all(is_open=False)
    rows = rows_of(overview, folding, text)
    keys = {row.key for row in rows}
    for row in rows:
        assert set(row.enclosing) <= keys
    words = text.lower().split()
    wanted = {
        one.job.id
        for row in overview.board.pipelines.values()
        for one in row.jobs.values()
        if all(w in f"{one.job.name} {one.job.status} {row.project} #{row.id}".lower()
               for w in words)
    }  # fmt: skip
    assert {row.job.job.id for row in rows if row.job} == wanted
    assert all(row.jobs for row in rows if row.job is None)


def test_order_depends_on_no_status():
    overview = Overview()
    for number, name in enumerate(("unit 10", "unit 2", "lint"), start=1):
        one = job(number, name, "running", pipeline_id=7)
        overview.on_event(appeared(one), NOW)
    overview.on_event(appeared(job(4, "ship", "created", pipeline_id=7, stage="deploy")), NOW)
    overview.on_event(appeared(job(9, "unit", "running", pipeline_id=8)), NOW)
    before = [row.key for row in rows_of(overview)]
    names = [row.title for row in rows_of(overview)]
    assert names == [
        "#8 main", "test", "unit", "#7 main", "test", "lint", "unit 2", "unit 10", "deploy", "ship",
    ]  # fmt: skip
    # A retry of all jobs of a stage has higher ids than the stage after it.
    overview.on_event(finished(job(1, "unit 10", "failed", pipeline_id=7)), NOW)
    for number, name in enumerate(("unit 10", "unit 2", "lint"), start=20):
        overview.on_event(appeared(job(number, name, "pending", pipeline_id=7)), NOW)
    assert [row.key for row in rows_of(overview)] == before


def test_downstream_is_below_its_bridge():
    overview = Overview()
    overview.on_event(appeared(job(1, "unit", "running", pipeline_id=7)), NOW)
    overview.on_event(appeared(bridge(2, "trigger", downstream=9)), NOW)
    child = evolve(job(3, "child", "running"), pipeline=pipeline(9, project_id=2))
    overview.on_event(appeared(child, project="shop/other"), NOW)
    rows = rows_of(overview)
    assert [(row.depth, row.title) for row in rows] == [
        (0, "#7 main"), (1, "test"), (2, "trigger"), (3, "#9 main"), (4, "test"), (5, "child"),
        (2, "unit"),
    ]  # fmt: skip
    assert "shop/other #9" in row_line(rows[3], Columns(100), NOW).plain
    folding = Folding()
    folding.set(rows[1].key, is_open=False)
    assert len(rows_of(overview, folding)) == 2
    # Parents in a circle, as no GitLab has them, do not hide the pipelines or hang.
    overview.on_event(appeared(bridge(4, "back", downstream=7, pipeline_id=9)), NOW)
    assert {row.title for row in rows_of(overview)} >= {"#7 main", "#9 main", "child", "unit"}


def test_next_failed_wraps_and_knows_unread_jobs():
    overview = Overview()
    overview.on_listed("group/app", pipeline(5, status=JobStatus.FAILED))
    overview.on_event(appeared(job(1, "unit", "failed", pipeline_id=7)), NOW)
    overview.on_event(appeared(job(2, "lint", "running", pipeline_id=7)), NOW)
    rows = rows_of(overview)
    titles = [row.title for row in rows]
    assert titles == ["#7 main", "test", "lint", "unit", "#5 main"]
    places = [next_failed(rows, place, 1) for place in range(5)]
    assert places == [3, 3, 3, 4, 3]
    assert next_failed(rows, 0, -1) == 4
    assert next_failed(rows[:3], 0, 1) is None


@given(st.integers(20, 220), st.integers(1, 10**11))
@settings(max_examples=40)
def test_lines_fit_any_width_and_are_clean(width, number):
    overview = Overview()
    one = job(number, HOSTILE_NAME, "failed", stage=HOSTILE_NAME, failure_reason=HOSTILE_NAME)
    overview.on_event(appeared(one, project=HOSTILE_NAME), NOW)
    tree = build_tree(overview, Folding(), Query(), NOW)
    columns = Columns(width, tree.name_width, tree.id_width)
    for row in tree.rows:
        line = row_line(row, columns, NOW)
        assert line.cell_len <= width
        assert line.plain.isprintable()
        if row.job is not None and width >= 60:
            assert line.plain.rstrip().endswith(str(number)) or f" {number}  " in line.plain
            assert "✗ failed" in line.plain


def test_natural_order():
    names = ["test 10", "test 2", "Test 1", "10", "a"]
    assert sorted(names, key=natural) == ["10", "a", "Test 1", "test 2", "test 10"]
