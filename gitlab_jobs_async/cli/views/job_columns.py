"""The columns of listed jobs. Pure."""

from typing import Final

from gitlab_jobs_async.cli.views.columns import Column
from gitlab_jobs_async.cli.views.listed_columns import id_column, time_column
from gitlab_jobs_async.cli.views.rows import Listed, pipeline_of
from gitlab_jobs_async.cli.views.times import length, plain_seconds
from gitlab_jobs_async.models.jobs import Job, JobBasic

JOB_DEFAULT: Final = (
    "id", "project", "pipeline", "stage", "name", "status", "duration", "created_at", "ref",
)  # fmt: skip


def _duration(name: str, title: str) -> Column[Listed]:
    return Column(
        name=name,
        title=title,
        plain=lambda listed: plain_seconds(getattr(listed[1], name)),
        shown=lambda listed, _: length(getattr(listed[1], name)),
        justify="right",
        is_whole=True,
    )


def _user(job: JobBasic) -> str | None:
    return None if job.user is None else job.user.username


def _commit(job: JobBasic) -> str | None:
    return None if job.commit is None else job.commit.short_id or job.commit.id[:8]


def _runner(job: JobBasic) -> str | None:
    runner = job.runner if isinstance(job, Job) else None
    return None if runner is None else runner.description or str(runner.id)


JOB_COLUMNS: Final[tuple[Column[Listed], ...]] = (
    id_column("job"),
    Column(name="project", plain=lambda one: one[0]),
    Column(
        name="pipeline",
        plain=lambda one: pipeline_of(one[1]),
        justify="right",
        is_whole=True,
        link=lambda one: one[1].pipeline.web_url,
    ),
    Column(name="stage", plain=lambda one: one[1].stage),
    Column(name="name", plain=lambda one: one[1].name, style="bold"),
    Column(name="status", plain=lambda one: one[1].status, is_whole=True),
    Column(name="failure_reason", title="reason", plain=lambda one: one[1].failure_reason),
    _duration("duration", "time"),
    _duration("queued_duration", "queued"),
    time_column("created_at", "created"),
    time_column("started_at", "started"),
    time_column("finished_at", "finished"),
    Column(name="ref", plain=lambda one: one[1].ref, style="bright_black"),
    Column(name="commit", plain=lambda one: _commit(one[1]), is_whole=True),
    Column(name="user", plain=lambda one: _user(one[1])),
    Column(name="runner", plain=lambda one: _runner(one[1])),
    Column(name="web_url", title="URL", plain=lambda one: one[1].web_url),
)
