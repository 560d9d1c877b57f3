"""Print the failed sections of jobs, in the order in which the jobs have started."""

from collections.abc import Iterator, Sequence
from typing import Final

from attrs import evolve, frozen

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.errors import FAILED, OK, error_line, exit_code_of
from gitlab_jobs_async.cli.tail.endings import ending
from gitlab_jobs_async.cli.tail.printer import LogPrinter
from gitlab_jobs_async.cli.terminal import print_error, write, write_json
from gitlab_jobs_async.cli.views.job_labels import ShownJob
from gitlab_jobs_async.cli.views.rows import json_line
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.concurrency import gather_all
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.logs.items import TailedLine
from gitlab_jobs_async.models.failures import JobFailure
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.pipelines.tree import PipelineTree
from gitlab_jobs_async.project import Project

Failed = tuple[str, Job | Bridge]
"""The path or id of a project, and a failed job of it."""

_AT_ONCE: Final = 4
"""Logs that are read at once: each may keep 4 MiB of lines."""

_ALL_LINES: Final = 1_000_000
"""More lines than are kept of any section."""


@frozen
class FailureReport:
    """Prints the failures of jobs; *last* limits the lines of each."""

    gitlab: GitLab
    printer: LogPrinter
    last: int | None

    async def print_all(self, jobs: Sequence[Failed], what: str) -> int:
        """Print the failures of *jobs*, and return the exit code: 1 if there is one.

        A job that has not failed is named on stderr, as is *what* if none has.
        """
        failed = [found for found in jobs if found[1].status == JobStatus.FAILED]
        for _, job in jobs:
            if job.status != JobStatus.FAILED:
                print_error(f"job {job.id} {job.name} has not failed: it is {job.status}")
        if not jobs:
            print_error(f"no job of {what} has failed")
        code = FAILED if failed else OK
        for start in range(0, len(failed), _AT_ONCE):
            some = failed[start : start + _AT_ONCE]
            found = await gather_all([self._read(*each) for each in some])
            for (project, job), failure in zip(some, found, strict=True):
                if isinstance(failure, GitLabError):
                    print_error(f"job {job.id} {job.name}: {error_line(failure)}")
                    code = exit_code_of(failure)
                else:
                    self._print(ShownJob.of(project, job), failure)
        return code

    async def _read(self, project: str, job: Job | Bridge) -> Bridge | JobFailure | GitLabError:
        if isinstance(job, Bridge):
            return job  # it has no log
        count = _ALL_LINES if self.last is None else self.last
        try:
            handle = self.gitlab.project(job.project_id or project)
            return await handle.get_failure(job, lines=count)
        except GitLabError as error:
            return error

    def _print(self, shown: ShownJob, failure: JobFailure | Bridge) -> None:
        view = self.printer.view
        if self.printer.is_json:
            if isinstance(failure, JobFailure):
                lines = tuple(line for line in failure.lines if view.passes(line))
                failure = evolve(failure, lines=lines)
            write_json(json_line(failure))
            return
        if view.style.template is None:
            write("".join(f"{view.heading(line)}\n" for line in _heading(shown, failure)))
        if isinstance(failure, Bridge):
            return
        self.printer.add(shown, failure.job, is_labelled=False)
        for line in failure.lines:
            self.printer.show(TailedLine(failure.job.project_id, shown.id, line))
        self.printer.forget(shown.id)


def _heading(shown: ShownJob, failure: JobFailure | Bridge) -> Iterator[str]:
    """Yield the lines above those of the log: how the job failed, its URL, its first error."""
    if isinstance(failure, Bridge):
        yield ending(shown, failure)
        yield f"  {clean(failure.web_url)}"
        return
    code = "" if failure.exit_code is None else f", exit code {failure.exit_code}"
    section = f", in {clean('/'.join(failure.section))}" if failure.section else ""
    yield f"{ending(shown, failure.job)}{code}{section}"
    yield f"  {clean(failure.job.web_url)}"
    if failure.exit_code is None and failure.message is not None:
        yield f"  {clean(failure.message)}"
    if failure.error is not None:
        yield f"  line {failure.error.number}: {clean(failure.error.text)}"
    if not failure.lines:
        yield "  no lines: the log is empty or was erased"


async def failed_jobs(project: Project, pipeline: int) -> list[Failed]:
    """Return the failed jobs of a pipeline and of all below it, the first one first.

    A failed bridge is among them if no job below it has failed, as where GitLab could not create
    its pipeline.
    """
    jobs: list[Job | Bridge] = []
    jobs += await project.list_pipeline_jobs(pipeline, scope=JobStatus.FAILED)
    # Only a failed bridge has failed jobs below it.
    if await project.list_bridges(pipeline, scope=JobStatus.FAILED):
        tree = await project.walk_pipeline(pipeline)
        jobs = [job for job in _jobs_of(tree) if job.status == JobStatus.FAILED]
    ordered = sorted(jobs, key=lambda job: (job.started_at or job.created_at, job.id))
    return [(job.project_path or str(project.id), job) for job in ordered]


def _jobs_of(tree: PipelineTree) -> Iterator[Job | Bridge]:
    yield from tree.all_jobs()
    for item in (item for below in tree.walk() for item in below.downstream):
        if item.error is not None:
            print_error(f"pipeline of {item.bridge.name}: {error_line(item.error)}")
        below_it = () if item.tree is None else item.tree.all_jobs()
        if not any(job.status == JobStatus.FAILED for job in below_it):
            yield item.bridge
