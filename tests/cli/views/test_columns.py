"""Columns that `--columns` selects, in tables and in lines."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from gitlab_jobs_async.cli.errors import CommandError
from gitlab_jobs_async.cli.views.columns import select_columns
from gitlab_jobs_async.cli.views.events import EVENT_COLUMNS, EVENT_DEFAULT, plain_event
from gitlab_jobs_async.cli.views.job_columns import JOB_COLUMNS, JOB_DEFAULT
from gitlab_jobs_async.cli.views.rows import plain_line
from gitlab_jobs_async.cli.views.streamed import StreamedTable
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.statuses import JobStatus
from tests.support.sample_events import finished, job, log_line

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
JOB = ("group/app", Job(id=7, name="unit", stage="test", status=JobStatus.FAILED))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("id,nme", "unknown column 'nme': expected some of id, project, pipeline"),
        ("", "unknown column ''"),
        ("id,", "unknown column ''"),
        ("id, id", "'id': expected only once"),
    ],
)
def test_unknown_columns_are_refused(names, words):
    with pytest.raises(CommandError, match=words) as raised:
        select_columns(names, JOB_COLUMNS, JOB_DEFAULT)
    assert raised.value.code == 2


def test_events_have_selected_columns():
    columns = select_columns("event,key,stage,status", EVENT_COLUMNS, EVENT_DEFAULT)
    shown = plain_event(finished(job(3, status="failed")), NOW, columns)
    assert shown.split("\t")[0::2] == ["job_finished", "test"]
    assert shown.endswith("\tfailed\n")
    assert plain_event(log_line(job(3), 1, "a"), NOW, columns).endswith("\ttest\t\n")


def test_every_column_of_a_sparse_job_is_text():
    for column in JOB_COLUMNS:
        assert "\n" not in plain_line([column.plain(JOB), column.value(JOB, NOW)])[:-1]


@pytest.mark.usefixtures("signed_in")
def test_list_prints_columns_in_their_order(run, assert_one_line):
    names = "name, id,finished_at,user"
    result = run("list", "group/app", "--columns", names, "--scope", "success")
    assert [line.split("\t")[:2] for line in result.lines] == [["compile", "1"]]
    assert result.lines[0].endswith("\tbob")
    assert_one_line(run("list", "group/app", "--columns", "id,x"), 2, "expected some of id")
    assert_one_line(run("list", "group/app", "--columns", "id", "--json"), 2, "only one")


@pytest.mark.usefixtures("signed_in")
def test_watch_prints_columns(run, job_of):
    pipeline = job_of("compile").pipeline.id
    result = run("watch", "group/app", "--pipeline", pipeline, "--columns", "job,event")
    assert "1\tjob_appeared" in result.lines
    assert {len(line.split("\t")) for line in result.lines} == {2}


def test_streamed_table_cuts_no_name_for_slack():
    """At 80 columns, the ref gives way first; later ids and times are whole."""
    written = io.StringIO()
    screen = Console(file=written, width=80, color_system=None)
    columns = [
        one for one in select_columns(None, JOB_COLUMNS, JOB_DEFAULT) if one.name != "project"
    ]
    table = StreamedTable(screen, columns, NOW)
    ref = "feature/1200-faster-checkout"
    for number, duration in ((225, 61), (1_234_567_890, 36_000)):
        row = Job(
            id=number, name="integration", stage="deploy", status=JobStatus.RUNNING,
            created_at=datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC), duration=duration, ref=ref,
        )  # fmt: skip
        table.add([("group/app", row)])
    found = written.getvalue().splitlines()
    assert max(map(len, found)) <= 80
    assert "integration" in found[2]
    assert "1234567890" in found[3]
    assert "10h 00m" in found[3]
