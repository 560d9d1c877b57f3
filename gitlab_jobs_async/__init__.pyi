from . import events as events
from . import models as models
from .api.credentials import (
    BearerToken as BearerToken,
)
from .api.credentials import (
    Credentials as Credentials,
)
from .api.credentials import (
    JobToken as JobToken,
)
from .api.credentials import (
    PrivateToken as PrivateToken,
)
from .api.graphql_cost import (
    estimate_complexity as estimate_complexity,
)
from .api.json_reading import (
    from_json as from_json,
)
from .api.json_writing import (
    to_dict as to_dict,
)
from .api.json_writing import (
    to_json as to_json,
)
from .api.parameters import (
    ProjectId as ProjectId,
)
from .api.requests import (
    Request as Request,
)
from .api.responses import (
    Response as Response,
)
from .artifacts.files import (
    ArtifactDownload as ArtifactDownload,
)
from .client import (
    GitLab as GitLab,
)
from .clock import (
    Clock as Clock,
)
from .clock import (
    SystemClock as SystemClock,
)
from .consumers import (
    Consumer as Consumer,
)
from .consumers import (
    RecordedEvent as RecordedEvent,
)
from .consumers import (
    consume as consume,
)
from .errors import (
    ArchiveError as ArchiveError,
)
from .errors import (
    AuthenticationError as AuthenticationError,
)
from .errors import (
    BadRequestError as BadRequestError,
)
from .errors import (
    CertificateError as CertificateError,
)
from .errors import (
    ConflictError as ConflictError,
)
from .errors import (
    ConnectionFailedError as ConnectionFailedError,
)
from .errors import (
    CredentialsError as CredentialsError,
)
from .errors import (
    DecodeError as DecodeError,
)
from .errors import (
    FencedError as FencedError,
)
from .errors import (
    GitLabError as GitLabError,
)
from .errors import (
    GraphQLError as GraphQLError,
)
from .errors import (
    ListingChangedError as ListingChangedError,
)
from .errors import (
    LookupFailedError as LookupFailedError,
)
from .errors import (
    MethodNotAllowedError as MethodNotAllowedError,
)
from .errors import (
    NotFoundError as NotFoundError,
)
from .errors import (
    PermissionDeniedError as PermissionDeniedError,
)
from .errors import (
    RateLimitedError as RateLimitedError,
)
from .errors import (
    ResponseError as ResponseError,
)
from .errors import (
    ResponseTooLargeError as ResponseTooLargeError,
)
from .errors import (
    ServerError as ServerError,
)
from .errors import (
    StoreAwayError as StoreAwayError,
)
from .errors import (
    StoreError as StoreError,
)
from .errors import (
    TimedOutError as TimedOutError,
)
from .errors import (
    TraceInterruptedError as TraceInterruptedError,
)
from .errors import (
    WaitTimedOutError as WaitTimedOutError,
)
from .errors import (
    WebhookRejectedError as WebhookRejectedError,
)
from .group import (
    Group as Group,
)
from .http.body_limits import (
    Limits as Limits,
)
from .http.hooks import (
    RequestEnd as RequestEnd,
)
from .http.hooks import (
    RequestHooks as RequestHooks,
)
from .http.hooks import (
    RequestStart as RequestStart,
)
from .http.tls_config import (
    TLSConfig as TLSConfig,
)
from .logs.items import (
    TailedItem as TailedItem,
)
from .logs.items import (
    TailedLine as TailedLine,
)
from .logs.items import (
    TailEnded as TailEnded,
)
from .logs.items import (
    TailFailed as TailFailed,
)
from .logs.merge import (
    JobLines as JobLines,
)
from .models.artifacts import (
    ArtifactEntry as ArtifactEntry,
)
from .models.failure_groups import (
    FailureGroup as FailureGroup,
)
from .models.failures import (
    JobFailure as JobFailure,
)
from .models.jobs import (
    Bridge as Bridge,
)
from .models.jobs import (
    Job as Job,
)
from .models.logs import (
    LogLine as LogLine,
)
from .models.logs import (
    TraceChunk as TraceChunk,
)
from .models.pipelines import (
    Pipeline as Pipeline,
)
from .models.statuses import (
    FailureReason as FailureReason,
)
from .models.statuses import (
    JobStatus as JobStatus,
)
from .models.webhooks import (
    JobHook as JobHook,
)
from .models.webhooks import (
    PipelineHook as PipelineHook,
)
from .monitor.monitor import (
    Monitor as Monitor,
)
from .monitor.status import (
    MonitorStatus as MonitorStatus,
)
from .monitor.targets import (
    GroupTarget as GroupTarget,
)
from .monitor.targets import (
    JobTarget as JobTarget,
)
from .monitor.targets import (
    PipelineTarget as PipelineTarget,
)
from .monitor.watch.factory import (
    Target as Target,
)
from .pipelines.tree import (
    Downstream as Downstream,
)
from .pipelines.tree import (
    PipelineTree as PipelineTree,
)
from .polling.policy import (
    PollPolicy as PollPolicy,
)
from .project import (
    Project as Project,
)
from .ratelimit.budget import (
    RequestBudget as RequestBudget,
)
from .ratelimit.snapshot import (
    BudgetSnapshot as BudgetSnapshot,
)
from .retry.policy import (
    RetryPolicy as RetryPolicy,
)
from .store.memory import (
    MemoryStore as MemoryStore,
)
from .store.postgres import (
    PostgresStore as PostgresStore,
)
from .store.protocol import (
    Store as Store,
)
from .store.sqlite import (
    SqliteStore as SqliteStore,
)
from .version import (
    __version__ as __version__,
)
from .webhooks.deduplication import (
    SeenDeliveries as SeenDeliveries,
)
from .webhooks.receive import (
    parse_webhook as parse_webhook,
)
