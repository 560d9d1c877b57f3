"""Calls of the keys to the server; each returns its result as a sentence."""

from attrs import frozen

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.models.jobs import Bridge, Job, JobBasic


@frozen
class Subject:
    """The job of a line, or its pipeline if *job* is None.

    *project* is for requests, *path* is what a person reads.
    """

    project: int | str
    path: str
    pipeline: int | None = None
    job: JobBasic | None = None
    url: str = ""

    @property
    def name(self) -> str:
        """Its name in a question or a result."""
        if self.job is not None:
            return f"job {self.job.id} {clean(self.job.name)}"
        return f"pipeline {self.pipeline}"


@frozen
class Outcome:
    """The result of a call: its words, and the new state of a job."""

    words: str
    job: Job | Bridge | None = None


@frozen
class Actions:
    """The calls of the keys; errors are those of `Project`."""

    gitlab: GitLab

    async def retry(self, subject: Subject) -> Outcome:
        """Retry a job, or the failed jobs of a pipeline."""
        calls = self.gitlab.project(subject.project)
        if subject.job is not None:
            job = await calls.retry_job(subject.job.id)
            return Outcome(f"{subject.name} runs again as job {job.id}: {job.status}", job)
        pipeline = await calls.retry_pipeline(subject.pipeline or 0)
        return Outcome(f"{subject.name} is retried: {pipeline.status}")

    async def cancel(self, subject: Subject) -> Outcome:
        """Cancel a job or a pipeline."""
        calls = self.gitlab.project(subject.project)
        if subject.job is not None:
            job = await calls.cancel_job(subject.job.id)
            return Outcome(f"{subject.name} is {job.status}", job)
        pipeline = await calls.cancel_pipeline(subject.pipeline or 0)
        return Outcome(f"{subject.name} is {pipeline.status}")

    async def play(self, subject: Subject) -> Outcome:
        """Start a manual or delayed job."""
        if subject.job is None:
            return Outcome("select a job to start")
        job = await self.gitlab.project(subject.project).play_job(subject.job.id)
        again = "" if job.id == subject.job.id else f" runs again as job {job.id}:"
        return Outcome(f"{subject.name}{again or ' is'} {job.status}", job)

    async def erase(self, subject: Subject) -> Outcome:
        """Erase the log and the artifacts of a job."""
        if subject.job is None:
            return Outcome("select a job to erase")
        job = await self.gitlab.project(subject.project).erase_job(subject.job.id)
        return Outcome(f"{subject.name} is erased", job)
