"""The number of projects in a question, by how the server coped with those before."""

from math import inf

from attrs import define, field

from gitlab_jobs_async.errors import (
    GitLabError,
    GraphQLError,
    ResponseTooLargeError,
    TimedOutError,
)
from gitlab_jobs_async.monitor.hints.questions import MAX_PROJECTS

FIRST_SIZE = 50
_QUICK, _SLOW = 2.0, 5.0
_LIMITED_FOR = 3600.0


@define
class QuestionSize:
    """The largest number of *projects* that the next question may have."""

    projects: int = FIRST_SIZE
    _most: int = field(default=MAX_PROJECTS, init=False)
    _limited_until: float = field(default=-inf, init=False)

    def on_answer(self, asked: int, seconds: float, now: float) -> None:
        """Double after an answer about *asked* projects that the server made in few *seconds*."""
        # Without the wait for the request limit: more questions would only make that longer.
        if seconds > _SLOW:
            self.projects = max(1, asked // 2)
            self._limit(now)
        elif seconds < _QUICK and asked >= self.projects:
            most = self._most if now < self._limited_until else MAX_PROJECTS
            self.projects = min(most, 2 * self.projects)

    def on_error(self, asked: int, error: GitLabError, now: float) -> None:
        """Halve after a question about *asked* projects that failed."""
        self.projects = max(1, min(self.projects, asked) // 2)
        if isinstance(error, GraphQLError | ResponseTooLargeError | TimedOutError):
            self._limit(now)

    def reset(self) -> None:
        """Begin again with the first size."""
        self.projects = FIRST_SIZE

    def _limit(self, now: float) -> None:
        # Trying the double again and again would waste one question in three.
        self._most, self._limited_until = self.projects, now + _LIMITED_FOR
