"""Find the job that retries another one; GitLab creates it soon after a failure or never."""

from collections.abc import Iterable
from operator import attrgetter
from typing import Final, TypeVar

from gitlab_jobs_async.models.jobs import JobBasic

J = TypeVar("J", bound=JobBasic)

# GitLab retries right after it has recorded the failure: app/models/ci/build.rb.
RETRY_GRACE: Final = 4.0
"""Seconds after which a failed job without a next attempt is not retried by GitLab itself.

A little less than a poll interval, so that the next poll decides.
"""


def next_attempt(rows: Iterable[J], job: JobBasic) -> J | None:
    """Return the job among *rows*, of the pipeline of *job*, that retries it; `None` without."""
    later = (row for row in rows if row.name == job.name and row.id > job.id)
    return min(later, key=attrgetter("id"), default=None)
