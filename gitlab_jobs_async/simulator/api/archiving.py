"""The rule for archived jobs, used by both entities and permissions."""

from gitlab_jobs_async.simulator.records import Job
from gitlab_jobs_async.simulator.settings import SimulatorSettings


def is_archived(job: Job, now: float, settings: SimulatorSettings) -> bool:
    """Return whether the job is too old to act on it: Ci::Processable#archived?."""
    limit = settings.jobs_archived_after
    return job.plan.archived or (limit is not None and now - job.created_at > limit)
