"""Columns that lists of jobs and of pipelines share. Pure."""

from typing import TypeVar

from gitlab_jobs_async.cli.views.columns import Column
from gitlab_jobs_async.cli.views.rows import Listed
from gitlab_jobs_async.cli.views.times import ago, utc_time
from gitlab_jobs_async.models.pipelines import PipelineBasic

ListedPipeline = tuple[str, PipelineBasic]
"""A project, as the user named it, and one of its pipelines."""

R = TypeVar("R", Listed, ListedPipeline)


def id_column(title: str) -> Column[R]:
    """Return the column of the id, which is a link to the page."""
    return Column(
        name="id",
        title=title,
        plain=lambda one: one[1].id,
        justify="right",
        is_whole=True,
        link=lambda one: one[1].web_url,
    )


def time_column(name: str, title: str) -> Column[R]:
    """Return a column of times: how long ago for people, in UTC for programs."""
    return Column(
        name=name,
        title=title,
        plain=lambda one: utc_time(getattr(one[1], name)),
        shown=lambda one, now: ago(getattr(one[1], name), now),
        justify="right",
        is_whole=True,
    )
