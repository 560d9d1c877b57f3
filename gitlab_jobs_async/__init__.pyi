from gitlab_jobs_async.agents import (
    AgentConfigProject,
    AgentEnvironment,
    AgentProject,
    AllowedAgent,
    AllowedAgents,
    Reference,
)
from gitlab_jobs_async.aio.clock import Clock, SystemClock
from gitlab_jobs_async.aio.tailing_many import JobLines
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.errors import (
    AuthenticationError,
    BadRequestError,
    ConflictError,
    ConnectionFailedError,
    DecodeError,
    GitLabError,
    ListingChangedError,
    MethodNotAllowedError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ResponseError,
    ServerError,
    TimedOutError,
    TraceInterruptedError,
)
from gitlab_jobs_async.models import (
    Artifact,
    ArtifactEntry,
    ArtifactsFile,
    Bridge,
    Commit,
    DetailedStatus,
    Job,
    JobBasic,
    JobProject,
    LogLine,
    Pipeline,
    Runner,
    RunnerManager,
    TraceChunk,
    User,
)
from gitlab_jobs_async.project import Project
from gitlab_jobs_async.sansio.arguments import ProjectId
from gitlab_jobs_async.sansio.budget import BudgetSnapshot, RequestBudget
from gitlab_jobs_async.sansio.credentials import BearerToken, Credentials, JobToken, PrivateToken
from gitlab_jobs_async.sansio.endpoints import PipelineFilters
from gitlab_jobs_async.sansio.requests import Request
from gitlab_jobs_async.sansio.responses import Response
from gitlab_jobs_async.sansio.retrying import RetryPolicy
from gitlab_jobs_async.statuses import FailureReason, JobStatus
from gitlab_jobs_async.tailed import TailedItem, TailedLine, TailEnded, TailFailed
from gitlab_jobs_async.version import __version__

__all__ = [
    "AgentConfigProject",
    "AgentEnvironment",
    "AgentProject",
    "AllowedAgent",
    "AllowedAgents",
    "Artifact",
    "ArtifactEntry",
    "ArtifactsFile",
    "AuthenticationError",
    "BadRequestError",
    "BearerToken",
    "Bridge",
    "BudgetSnapshot",
    "Clock",
    "Commit",
    "ConflictError",
    "ConnectionFailedError",
    "Credentials",
    "DecodeError",
    "DetailedStatus",
    "FailureReason",
    "GitLab",
    "GitLabError",
    "Job",
    "JobBasic",
    "JobLines",
    "JobProject",
    "JobStatus",
    "JobToken",
    "ListingChangedError",
    "LogLine",
    "MethodNotAllowedError",
    "NotFoundError",
    "PermissionDeniedError",
    "Pipeline",
    "PipelineFilters",
    "PrivateToken",
    "Project",
    "ProjectId",
    "RateLimitedError",
    "Reference",
    "Request",
    "RequestBudget",
    "Response",
    "ResponseError",
    "RetryPolicy",
    "Runner",
    "RunnerManager",
    "ServerError",
    "SystemClock",
    "TailEnded",
    "TailFailed",
    "TailedItem",
    "TailedLine",
    "TimedOutError",
    "TraceChunk",
    "TraceInterruptedError",
    "User",
    "__version__",
]
