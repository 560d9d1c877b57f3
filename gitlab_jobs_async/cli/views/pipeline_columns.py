"""The columns of listed pipelines. Pure."""

from typing import Final

from gitlab_jobs_async.cli.views.columns import Column
from gitlab_jobs_async.cli.views.listed_columns import ListedPipeline, id_column, time_column

PIPELINE_DEFAULT: Final = ("id", "project", "status", "ref", "sha", "source", "created_at")


PIPELINE_COLUMNS: Final[tuple[Column[ListedPipeline], ...]] = (
    id_column("pipeline"),
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
    time_column("created_at", "created"),
    time_column("updated_at", "updated"),
    Column(name="web_url", title="URL", plain=lambda one: one[1].web_url),
)
