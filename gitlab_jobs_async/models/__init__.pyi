from .agents import (
    AgentConfigProject as AgentConfigProject,
)
from .agents import (
    AgentEnvironment as AgentEnvironment,
)
from .agents import (
    AgentProject as AgentProject,
)
from .agents import (
    AgentUser as AgentUser,
)
from .agents import (
    AllowedAgent as AllowedAgent,
)
from .agents import (
    AllowedAgents as AllowedAgents,
)
from .agents import (
    Reference as Reference,
)
from .artifacts import (
    Artifact as Artifact,
)
from .artifacts import (
    ArtifactEntry as ArtifactEntry,
)
from .artifacts import (
    ArtifactsFile as ArtifactsFile,
)
from .failure_groups import (
    FailureGroup as FailureGroup,
)
from .failures import (
    JobFailure as JobFailure,
)
from .hook_parts import (
    HookAuthor as HookAuthor,
)
from .hook_parts import (
    HookCommit as HookCommit,
)
from .hook_parts import (
    HookEnvironment as HookEnvironment,
)
from .hook_parts import (
    HookMergeRequest as HookMergeRequest,
)
from .hook_parts import (
    HookProject as HookProject,
)
from .hook_parts import (
    HookRunner as HookRunner,
)
from .hook_parts import (
    HookUser as HookUser,
)
from .hook_parts import (
    HookVariable as HookVariable,
)
from .hook_parts import (
    JobHookCommit as JobHookCommit,
)
from .hook_parts import (
    SourcePipeline as SourcePipeline,
)
from .jobs import (
    Bridge as Bridge,
)
from .jobs import (
    Job as Job,
)
from .jobs import (
    JobBasic as JobBasic,
)
from .jobs import (
    JobProject as JobProject,
)
from .logs import (
    LogLine as LogLine,
)
from .logs import (
    Section as Section,
)
from .logs import (
    TraceChunk as TraceChunk,
)
from .pipelines import (
    DetailedStatus as DetailedStatus,
)
from .pipelines import (
    Pipeline as Pipeline,
)
from .pipelines import (
    PipelineBasic as PipelineBasic,
)
from .projects import (
    ProjectInfo as ProjectInfo,
)
from .runners import (
    Runner as Runner,
)
from .runners import (
    RunnerManager as RunnerManager,
)
from .statuses import (
    FailureReason as FailureReason,
)
from .statuses import (
    JobStatus as JobStatus,
)
from .timelines import (
    PhaseKind as PhaseKind,
)
from .timelines import (
    PipelineTimeline as PipelineTimeline,
)
from .timelines import (
    TimelineAttempt as TimelineAttempt,
)
from .timelines import (
    TimelineJob as TimelineJob,
)
from .timelines import (
    TimelinePhase as TimelinePhase,
)
from .users import (
    Commit as Commit,
)
from .users import (
    User as User,
)
from .webhooks import (
    HookBuild as HookBuild,
)
from .webhooks import (
    HookJob as HookJob,
)
from .webhooks import (
    JobHook as JobHook,
)
from .webhooks import (
    PipelineHook as PipelineHook,
)
