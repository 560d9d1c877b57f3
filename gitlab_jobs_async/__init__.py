"""An asyncio SDK for GitLab's CI Jobs API: public names and `__all__`, nothing else.

A name is loaded when it is first used, so that what imports the package for less (the pytest
plugin, the command's help) does not pay for it. Type checkers read `__init__.pyi`.
"""

from importlib import import_module

_MODULES = {
    "__version__": "version",
    "AgentConfigProject": "agents",
    "AgentEnvironment": "agents",
    "AgentProject": "agents",
    "AgentUser": "agents",
    "AllowedAgent": "agents",
    "AllowedAgents": "agents",
    "Artifact": "models",
    "ArtifactEntry": "models",
    "ArtifactsFile": "models",
    "AuthenticationError": "errors",
    "BadRequestError": "errors",
    "BearerToken": "sansio.credentials",
    "Bridge": "models",
    "BudgetSnapshot": "sansio.budget",
    "Checkpoint": "aio.checkpoints",
    "CheckpointError": "errors",
    "Clock": "aio.clock",
    "Commit": "models",
    "ConflictError": "errors",
    "ConnectionFailedError": "errors",
    "Credentials": "sansio.credentials",
    "DecodeError": "errors",
    "Deliveries": "sansio.deliveries",
    "DetailedStatus": "models",
    "Downstream": "downstream",
    "Event": "events",
    "FailureReason": "statuses",
    "GitLab": "client",
    "GitLabError": "errors",
    "HookAuthor": "hooks",
    "HookBuild": "hooks",
    "HookCommit": "hooks",
    "HookEnvironment": "hooks",
    "HookJob": "hooks",
    "HookMergeRequest": "hooks",
    "HookProject": "hooks",
    "HookRefusedError": "errors",
    "HookRunner": "hooks",
    "HookUser": "hooks",
    "HookVariable": "hooks",
    "Job": "models",
    "JobAppeared": "events",
    "JobBasic": "models",
    "JobChanged": "events",
    "JobDeleted": "events",
    "JobErased": "events",
    "JobEvent": "events",
    "JobFinished": "events",
    "JobHook": "hooks",
    "JobHookCommit": "hooks",
    "JobLines": "aio.tailing_many",
    "JobLogEnded": "events",
    "JobLogFailed": "events",
    "JobLogGrew": "events",
    "JobProject": "models",
    "JobStatus": "statuses",
    "JobTarget": "targets",
    "JobToken": "sansio.credentials",
    "Limits": "sansio.sizes",
    "ListingChangedError": "errors",
    "LogLine": "models",
    "MemoryCheckpoint": "aio.checkpoints",
    "MethodNotAllowedError": "errors",
    "Monitor": "aio.monitoring",
    "MonitorEvent": "events",
    "NotFoundError": "errors",
    "PermissionDeniedError": "errors",
    "Pipeline": "models",
    "PipelineFilters": "sansio.endpoints",
    "PipelineHook": "hooks",
    "PipelineTarget": "targets",
    "PipelineTree": "downstream",
    "PrivateToken": "sansio.credentials",
    "Project": "project",
    "ProjectId": "sansio.arguments",
    "ProjectRecovered": "events",
    "ProjectUnreachable": "events",
    "RateLimitedError": "errors",
    "Reference": "agents",
    "Request": "sansio.requests",
    "RequestBudget": "sansio.budget",
    "Response": "sansio.responses",
    "ResponseError": "errors",
    "ResponseTooLargeError": "errors",
    "RetryPolicy": "sansio.retrying",
    "Runner": "models",
    "RunnerManager": "models",
    "Section": "models",
    "ServerError": "errors",
    "SourcePipeline": "hooks",
    "SqliteCheckpoint": "aio.checkpoint_file",
    "SystemClock": "aio.clock",
    "TailEnded": "tailed",
    "TailFailed": "tailed",
    "TailedItem": "tailed",
    "TailedLine": "tailed",
    "Target": "sansio.watches",
    "TimedOutError": "errors",
    "TraceChunk": "models",
    "TraceInterruptedError": "errors",
    "User": "models",
    "WaitTimedOutError": "errors",
    "read_hook": "aio.receiving",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
