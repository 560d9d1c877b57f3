"""Pipelines for a terminal: with their stages and jobs, and as lines of their changes."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group
from rich.text import Text

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.views.pipeline_rows import by_stage
from gitlab_jobs_async.cli.views.rows import status_symbol
from gitlab_jobs_async.cli.views.tables import (
    add_column,
    cell,
    details_table,
    empty_table,
    status_text,
)
from gitlab_jobs_async.cli.views.times import length
from gitlab_jobs_async.models.jobs import JobBasic
from gitlab_jobs_async.models.pipelines import Pipeline


def pipeline_view(
    facts: Sequence[tuple[str, object]], jobs: Sequence[JobBasic], *, links: bool = False
) -> Group:
    """Return the facts of a pipeline, and its jobs by stage."""
    table = empty_table()
    add_column(table, "stage")
    add_column(table, "job", justify="right", whole=True)
    add_column(table, "name")
    add_column(table, "status", whole=True)
    add_column(table, "time", justify="right", whole=True)
    add_column(table, "reason")
    for stage, members in by_stage(jobs):
        for number, job in enumerate(members):
            table.add_row(
                cell("" if number else stage, "bright_black"),
                cell(job.id, link=job.web_url if links else ""),
                cell(job.name, "bold"),
                status_text(job.status),
                cell(length(job.duration)),
                cell(job.failure_reason, "red"),
            )
    return Group(details_table(facts), "", table) if jobs else Group(details_table(facts))


def change_line(at: datetime, value: Pipeline | JobBasic, detail: str) -> Text:
    """Return a line about a pipeline or a job that has changed its status."""
    symbol, colour = status_symbol(value.status)
    # A long line wraps, so that its URL can be copied.
    line = Text(f"{at:%H:%M:%S} ", style="bright_black")
    line.append(f"{symbol} {clean(value.status):<9} ", style=colour)
    if isinstance(value, Pipeline):
        line.append(f"pipeline {value.id}", style="bold")
    else:
        line.append(f"{value.id} {clean(value.name)}", style="default")
    return line.append(f"  {clean(detail)}", style="bright_black") if detail else line
