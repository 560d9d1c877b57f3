"""Why a job failed, as far as the API and its log say."""

from attrs import frozen

from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.logs import LogLine
from gitlab_jobs_async.models.statuses import FailureReason
from gitlab_jobs_async.models.values import printable


@frozen(kw_only=True)
class JobFailure:
    """The failure of a job, read from the job and its log; `str` makes a report of a few lines.

    Attributes:
        job: the failed job.
        reason: GitLab's reason, `job.failure_reason`; None if GitLab sends none.
        message: what the runner wrote last, such as "Job failed: exit code 1"; None if the log has
            no such line, as when GitLab ended the job.
        exit_code: the exit code in *message*; None if it names none, as for a timeout.
        section: path of the log's section that failed, outermost first; empty for a log without
            sections. Sections that run after a failure, such as `after_script`, never count.
        lines: the last lines of that section, oldest first; empty if the log was erased.
        error: the first line of the failed section that looks like an error; None if none does.
    """

    job: Job
    reason: FailureReason | None = None
    message: str | None = None
    exit_code: int | None = None
    section: tuple[str, ...] = ()
    lines: tuple[LogLine, ...] = ()
    error: LogLine | None = None

    def __str__(self) -> str:
        job, found = self.job, self.lines
        why = self.message or f"Job failed: {self.reason or 'unknown reason'}"
        heading = f"{job.project_path or job.project_id}: {job.name}: {why}"
        report = [printable(heading), f"    {printable(job.web_url)}"]
        if self.error is not None and self.error not in found:
            found = (self.error, *found)
        report += [f"  {'>' if line == self.error else ' '} {line.text}" for line in found]
        return "\n".join(report)
