"""How requests are sent, as one value; checked where the caller gives it, in `GitLab`."""

from attrs import frozen

from gitlab_jobs_async.aio.clock import Clock
from gitlab_jobs_async.aio.tls import TLSContexts
from gitlab_jobs_async.sansio.budget import RequestBudget
from gitlab_jobs_async.sansio.credentials import Credentials
from gitlab_jobs_async.sansio.retrying import RetryPolicy
from gitlab_jobs_async.sansio.sizes import Limits
from gitlab_jobs_async.sansio.urls import ServerUrl


@frozen(kw_only=True)
class TransportSettings:
    """Where requests go, as whom, how many at once, how often, for how long, for how many bytes."""

    server: ServerUrl
    credentials: Credentials | None
    concurrency: int
    timeout: float
    retry: RetryPolicy
    budget: RequestBudget
    limits: Limits
    tls: TLSContexts
    clock: Clock
