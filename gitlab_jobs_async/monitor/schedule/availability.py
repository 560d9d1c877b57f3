"""Track whether a target answers, and report each outage and each recovery once."""

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
    """Return whether GitLab reports the requested object, not its project, as missing."""
    # Without access to a private project, each of its jobs is a "404 Project Not Found", too.
    message = error.message.lower() if isinstance(error, NotFoundError) else ""
    return message.startswith("404") and "project" not in message


@define
class TargetAvailability:
    """The availability of one target, called *name* in event keys.

    *emitted* counts its events, *failures* the failed polls since the last success; *refusal* is
    the last error if it was a refusal.
    """

    project: int | str
    name: str
    emitted: int = 0
    is_unreachable: bool = False
    failures: int = 0
    refusal: ResponseError | None = None
    _refusals: int = 0
    _has_answered: bool = False

    @property
    def is_refused(self) -> bool:
        """Whether GitLab refuses the target permanently."""
        # A target that has answered before must refuse twice: proxies send single odd responses.
        return self._refusals > self._has_answered

    def on_error(self, error: GitLabError) -> list[ProjectUnreachable]:
        """Record a failed poll, and report the first one of an outage."""
        # A rate limit concerns the user, not this target.
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
                key=self.next_key("unreachable"),
                project=self.project,
                reason=str(error),
                status=status,
            )
        ]

    def on_success(self) -> list[ProjectRecovered]:
        """Record an answered poll, and report the end of an outage."""
        self.failures = self._refusals = 0
        self._has_answered, self.refusal = True, None
        if not self.is_unreachable:
            return []
        self.is_unreachable = False
        return [ProjectRecovered(key=self.next_key("recovered"), project=self.project)]

    def retry_delay(self) -> float:
        """Return the seconds until the next poll: twice as long after each failure."""
        return _BACKOFF.delay(self.failures)

    def next_key(self, what: str) -> str:
        """Return a key for an event of this target, unique over restarts."""
        key = f"target/{self.name}/{self.emitted}/{what}"
        self.emitted += 1
        return key
