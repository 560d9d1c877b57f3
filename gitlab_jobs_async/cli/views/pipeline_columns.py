"""The columns of listed pipelines. Pure."""

from typing import Final

from gitlab_jobs_async.cli.views.columns import Column
from gitlab_jobs_async.cli.views.times import ago, utc_time
from gitlab_jobs_async.models.pipelines import PipelineBasic

ListedPipeline = tuple[str, PipelineBasic]
"""A project, as the user named it, and one of its pipelines."""

PIPELINE_DEFAULT: Final = ("id", "project", "status", "ref", "sha", "source", "created_at")


def _time(name: str, title: str) -> Column[ListedPipeline]:
    return Column(
        name=name,
        title=title,
        plain=lambda listed: utc_time(getattr(listed[1], name)),
        shown=lambda listed, now: ago(getattr(listed[1], name), now),
        justify="right",
        is_whole=True,
    )


PIPELINE_COLUMNS: Final[tuple[Column[ListedPipeline], ...]] = (
    Column(
        name="id",
        title="pipeline",
        plain=lambda one: one[1].id,
        justify="right",
        is_whole=True,
        link=lambda one: one[1].web_url,
    ),
    Column(name="project", plain=lambda one: one[0]),
    Column(name="status", plain=lambda one: one[1].status, is_whole=True),
    Column(name="ref", plain=lambda one: one[1].ref, style="bold"),
    Column(
        name="sha",
        title="commit",
        plain=lambda one: one[1].sha,
        shown=lambda one, _: one[1].sha[:8],
        is_whole=True,
    ),
    Column(name="source", plain=lambda one: one[1].source, style="bright_black"),
    Column(name="name", plain=lambda one: one[1].name),
    _time("created_at", "created"),
    _time("updated_at", "updated"),
    Column(name="web_url", title="URL", plain=lambda one: one[1].web_url),
)
