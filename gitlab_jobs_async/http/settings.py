"""How requests are sent, as one value; checked where the caller gives it, in `GitLab`."""

from attrs import frozen

from gitlab_jobs_async.api.credentials import Credentials
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.clock import Clock
from gitlab_jobs_async.http.body_limits import Limits
from gitlab_jobs_async.http.tls_context import TLSContexts
from gitlab_jobs_async.ratelimit.budget import RequestBudget
from gitlab_jobs_async.retry.policy import RetryPolicy


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
