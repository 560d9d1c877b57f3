"""Which jobs are archived: the one rule both for what is shown of them and what may be done."""

from gitlab_jobs_async.simulator.records import Job
from gitlab_jobs_async.simulator.settings import SimulatorSettings


def is_archived(job: Job, now: float, settings: SimulatorSettings) -> bool:
    """Return whether the job is too old to be played, retried or canceled: Ci::Processable#archived?."""
    limit = settings.jobs_archived_after
    return job.plan.archived or (limit is not None and now - job.created_at > limit)
