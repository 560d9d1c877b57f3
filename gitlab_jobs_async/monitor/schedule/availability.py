"""Whether a target can be looked at: told once when it cannot, and once when it can again.

It is asked again ever more rarely. A rate limit is nobody's fault, and no news of any target.
"""

from attrs import define

from gitlab_jobs_async.errors import (
    GitLabError,
    NotFoundError,
    RateLimitedError,
    ResponseError,
)
from gitlab_jobs_async.events import ProjectRecovered, ProjectUnreachable
from gitlab_jobs_async.retry.backoff import Backoff

_BACKOFF = Backoff(15.0, 2.0, 600.0)
_REFUSALS = frozenset({401, 403, 404, 410})


def is_gone(error: GitLabError) -> bool:
    """Whether GitLab says that what was asked for is not there, and not so of the project.

    Whoever has lost the right to see a private project hears of each of its jobs, too, "404 Project
    Not Found".
    """
    said = error.message.lower() if isinstance(error, NotFoundError) else ""
    return said.startswith("404") and "project" not in said


@define
class TargetAvailability:
    """How it stands with one target, called *name* in the keys; *told* counts the events."""

    project: int | str
    name: str
    told: int = 0
    is_unreachable: bool = False
    failures: int = 0
    refusal: ResponseError | None = None
    _refusals: int = 0
    _has_answered: bool = False

    @property
    def is_refused(self) -> bool:
        """Whether GitLab refuses the target for good, as far as can be known.

        One that has answered before is asked twice: one odd answer proves nothing.
        """
        return self._refusals > self._has_answered

    def failed(self, error: GitLabError) -> list[ProjectUnreachable]:
        """A look has come to nothing."""
        if isinstance(error, RateLimitedError):
            return []
        self.failures += 1
        is_refusal = isinstance(error, ResponseError) and error.status in _REFUSALS
        self._refusals = self._refusals + 1 if is_refusal else 0
        self.refusal = error if isinstance(error, ResponseError) and is_refusal else None
        if self.is_unreachable:
            return []
        self.is_unreachable = True
        status = error.status if isinstance(error, ResponseError) else None
        return [
            ProjectUnreachable(
                key=self._key("unreachable"), project=self.project, reason=str(error), status=status
            )
        ]

    def succeeded(self) -> list[ProjectRecovered]:
        """There is an answer."""
        self.failures = self._refusals = 0
        self._has_answered, self.refusal = True, None
        if not self.is_unreachable:
            return []
        self.is_unreachable = False
        return [ProjectRecovered(key=self._key("recovered"), project=self.project)]

    def wait(self) -> float:
        """Seconds until the next try: twice as long after each failure."""
        return _BACKOFF.delay(self.failures)

    def _key(self, what: str) -> str:
        key = f"target/{self.name}/{self.told}/{what}"
        self.told += 1
        return key
