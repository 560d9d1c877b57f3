from gitlab_jobs_async.aio.clock import (
    Clock as Clock,
)
from gitlab_jobs_async.aio.clock import (
    SystemClock as SystemClock,
)
from gitlab_jobs_async.client import (
    GitLab as GitLab,
)
from gitlab_jobs_async.errors import (
    AuthenticationError as AuthenticationError,
)
from gitlab_jobs_async.errors import (
    BadRequestError as BadRequestError,
)
from gitlab_jobs_async.errors import (
    ConflictError as ConflictError,
)
from gitlab_jobs_async.errors import (
    ConnectionFailedError as ConnectionFailedError,
)
from gitlab_jobs_async.errors import (
    DecodeError as DecodeError,
)
from gitlab_jobs_async.errors import (
    GitLabError as GitLabError,
)
from gitlab_jobs_async.errors import (
    MethodNotAllowedError as MethodNotAllowedError,
)
from gitlab_jobs_async.errors import (
    NotFoundError as NotFoundError,
)
from gitlab_jobs_async.errors import (
    PermissionDeniedError as PermissionDeniedError,
)
from gitlab_jobs_async.errors import (
    RateLimitedError as RateLimitedError,
)
from gitlab_jobs_async.errors import (
    ResponseError as ResponseError,
)
from gitlab_jobs_async.errors import (
    ServerError as ServerError,
)
from gitlab_jobs_async.errors import (
    TimedOutError as TimedOutError,
)
from gitlab_jobs_async.models import (
    AgentConfigProject as AgentConfigProject,
)
from gitlab_jobs_async.models import (
    AgentEnvironment as AgentEnvironment,
)
from gitlab_jobs_async.models import (
    AgentProject as AgentProject,
)
from gitlab_jobs_async.models import (
    AllowedAgent as AllowedAgent,
)
from gitlab_jobs_async.models import (
    AllowedAgents as AllowedAgents,
)
from gitlab_jobs_async.models import (
    Artifact as Artifact,
)
from gitlab_jobs_async.models import (
    ArtifactEntry as ArtifactEntry,
)
from gitlab_jobs_async.models import (
    ArtifactsFile as ArtifactsFile,
)
from gitlab_jobs_async.models import (
    Bridge as Bridge,
)
from gitlab_jobs_async.models import (
    Commit as Commit,
)
from gitlab_jobs_async.models import (
    DetailedStatus as DetailedStatus,
)
from gitlab_jobs_async.models import (
    Job as Job,
)
from gitlab_jobs_async.models import (
    JobBasic as JobBasic,
)
from gitlab_jobs_async.models import (
    JobProject as JobProject,
)
from gitlab_jobs_async.models import (
    LogLine as LogLine,
)
from gitlab_jobs_async.models import (
    Pipeline as Pipeline,
)
from gitlab_jobs_async.models import (
    Reference as Reference,
)
from gitlab_jobs_async.models import (
    Runner as Runner,
)
from gitlab_jobs_async.models import (
    RunnerManager as RunnerManager,
)
from gitlab_jobs_async.models import (
    TraceChunk as TraceChunk,
)
from gitlab_jobs_async.models import (
    User as User,
)
from gitlab_jobs_async.project import (
    Project as Project,
)
from gitlab_jobs_async.sansio.arguments import (
    ProjectId as ProjectId,
)
from gitlab_jobs_async.sansio.credentials import (
    BearerToken as BearerToken,
)
from gitlab_jobs_async.sansio.credentials import (
    Credentials as Credentials,
)
from gitlab_jobs_async.sansio.credentials import (
    JobToken as JobToken,
)
from gitlab_jobs_async.sansio.credentials import (
    PrivateToken as PrivateToken,
)
from gitlab_jobs_async.sansio.endpoints import (
    PipelineFilters as PipelineFilters,
)
from gitlab_jobs_async.sansio.requests import (
    Request as Request,
)
from gitlab_jobs_async.sansio.responses import (
    Response as Response,
)
from gitlab_jobs_async.sansio.retrying import (
    RetryPolicy as RetryPolicy,
)
from gitlab_jobs_async.statuses import (
    FailureReason as FailureReason,
)
from gitlab_jobs_async.statuses import (
    JobStatus as JobStatus,
)

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
    "JobProject",
    "JobStatus",
    "JobToken",
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
    "Response",
    "ResponseError",
    "RetryPolicy",
    "Runner",
    "RunnerManager",
    "ServerError",
    "SystemClock",
    "TimedOutError",
    "TraceChunk",
    "User",
]
