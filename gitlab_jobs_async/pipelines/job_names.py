"""Find jobs by name, as GitLab groups them: `test 1/3` and `test: [linux]` belong to `test`."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from gitlab_jobs_async.errors import LookupFailedError
from gitlab_jobs_async.models.jobs import Job

_LONGEST: Final = 255
"""Characters of the longest name that GitLab allows: app/models/ci/build.rb."""

# Follows CommitStatus#group_name; one suffix at a time, since repeating it would backtrack.
_SUFFIX: Final = re.compile(r"[\s:]+(?:\[.*\]|\d+[\s:/\\]+\d+)\s*\Z")


def group_name(name: str) -> str:
    """Return the name without the numbers of a parallel job and the values of a matrix."""
    if len(name) > _LONGEST:
        return name
    while (found := _SUFFIX.search(name)) is not None:
        name = name[: found.start()]
    return name.strip()


def jobs_named(jobs: Sequence[Job], name: str) -> list[Job]:
    """Return the jobs with this name; else those of the group with this name, as in *jobs*."""
    exact = [job for job in jobs if job.name == name]
    return exact or [job for job in jobs if group_name(job.name) == name]


def job_named(jobs: Sequence[Job], name: str) -> Job:
    """Return the newest attempt of the one job that `jobs_named` finds.

    Raises:
        LookupFailedError: no job, or jobs of several names, match.
    """
    found = jobs_named(jobs, name)
    names = sorted({job.name for job in found})
    if not found:
        known = sorted({job.name for job in jobs})
        close = get_close_matches(
            name[:_LONGEST], [each for each in known if len(each) <= _LONGEST]
        )
        hint = "; similar" if close else "; there are" if known else ""
        raise LookupFailedError(f"no job is named {name!r}{hint}", close or known)
    if len(names) > 1:
        raise LookupFailedError(f"several jobs belong to {name!r}", names)
    return max(found, key=lambda job: job.id)
