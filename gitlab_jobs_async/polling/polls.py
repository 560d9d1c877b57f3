"""Values that all polls of one client share."""

from collections.abc import Callable
from typing import Self

from attrs import frozen

from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.polling.pace import PollPace
from gitlab_jobs_async.polling.policy import PollPolicy
from gitlab_jobs_async.polling.sources import JobSource, PipelineSource
from gitlab_jobs_async.polling.statuses import SharedStatuses
from gitlab_jobs_async.ratelimit.limits import JOBS_INDEX


@frozen(eq=False, repr=False)
class Polls:
    """The default *policy* of a client's calls, the *pace* of all its polls, and their statuses.

    *listings* is the pace of those among them that list jobs, which GitLab limits further.
    *statuses* are those of jobs, *pipelines* those of pipelines.
    """

    policy: PollPolicy
    pace: PollPace
    listings: PollPace
    statuses: SharedStatuses[Job]
    pipelines: SharedStatuses[Pipeline]

    @classmethod
    def of(
        cls,
        policy: PollPolicy,
        transport: Transport,
        capabilities: ServerCapabilities,
        monitors: Callable[[], float],
    ) -> Self:
        """Return the polls of a client whose *monitors* ask for these polls a second."""
        budget, clock = transport.budget, transport.clock
        pace = PollPace(budget.poll_rate, monitors)
        # The polls of monitors are such listings.
        listings = PollPace(lambda: budget.poll_rate(JOBS_INDEX), monitors)
        jobs = SharedStatuses(clock, JobSource(transport, capabilities), (pace, listings))
        pipelines = SharedStatuses(clock, PipelineSource(transport), (pace,))
        return cls(policy, pace, listings, jobs, pipelines)

    @property
    def monitor_rate(self) -> float:
        """Polls a second that all followed logs and waits leave to the client's monitors."""
        return min(self.pace.left, self.listings.left)
