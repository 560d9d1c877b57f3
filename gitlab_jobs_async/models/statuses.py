"""Job statuses and failure reasons, open to values of newer servers.

An unlisted value is kept: it equals, hashes and prints as its string.
"""

from enum import StrEnum
from typing import Self


class _OpenStrEnum(StrEnum):
    """A `StrEnum` with unlisted values; compare those with `==`, not `is`."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        # A new value each time: a server's words must not add members to the enum.
        unlisted = str.__new__(cls, value)
        # A repr shows the name as it is: control characters could forge lines of a log.
        unlisted._name_ = value.upper() if value.isprintable() else ascii(value)
        unlisted._value_ = value
        return unlisted


class JobStatus(_OpenStrEnum):
    """The status of a job, bridge or pipeline: app/models/concerns/ci/has_status.rb."""

    CREATED = "created"
    WAITING_FOR_RESOURCE = "waiting_for_resource"
    PREPARING = "preparing"
    WAITING_FOR_CALLBACK = "waiting_for_callback"
    PENDING = "pending"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELING = "canceling"  # neither active nor finished: the runner has not stopped
    CANCELED = "canceled"
    SKIPPED = "skipped"
    MANUAL = "manual"  # not finished: a user may start it at any time
    SCHEDULED = "scheduled"

    @property
    def is_finished(self) -> bool:
        """Whether nothing more happens without a user; False for an unlisted status."""
        return self in _FINISHED

    @property
    def is_active(self) -> bool:
        """Whether GitLab counts the job as active: waiting for a runner, or running."""
        return self in _ACTIVE


# A retry of an earlier job can restart a skipped one; without it, nothing more happens.
_FINISHED = frozenset({JobStatus.SUCCESS, JobStatus.FAILED, JobStatus.CANCELED, JobStatus.SKIPPED})
# ACTIVE_STATUSES in has_status.rb.
_ACTIVE = frozenset(
    {
        JobStatus.WAITING_FOR_RESOURCE,
        JobStatus.PREPARING,
        JobStatus.WAITING_FOR_CALLBACK,
        JobStatus.PENDING,
        JobStatus.RUNNING,
    }
)


class FailureReason(_OpenStrEnum):
    """The reason of a failed job: app/models/concerns/enums/ci/commit_status.rb.

    GitLab 19 has split `stuck_or_timeout_failure` and `job_execution_timeout` into finer reasons.
    Compare with `matches`, not with `==`: it knows the old reasons and the finer ones.
    """

    UNKNOWN_FAILURE = "unknown_failure"  # also the reason in webhooks of jobs that did not fail
    SCRIPT_FAILURE = "script_failure"
    API_FAILURE = "api_failure"
    STUCK_OR_TIMEOUT_FAILURE = "stuck_or_timeout_failure"
    RUNNER_SYSTEM_FAILURE = "runner_system_failure"
    MISSING_DEPENDENCY_FAILURE = "missing_dependency_failure"
    RUNNER_UNSUPPORTED = "runner_unsupported"
    STALE_SCHEDULE = "stale_schedule"
    JOB_EXECUTION_TIMEOUT = "job_execution_timeout"
    ARCHIVED_FAILURE = "archived_failure"
    UNMET_PREREQUISITES = "unmet_prerequisites"
    SCHEDULER_FAILURE = "scheduler_failure"
    DATA_INTEGRITY_FAILURE = "data_integrity_failure"
    FORWARD_DEPLOYMENT_FAILURE = "forward_deployment_failure"
    USER_BLOCKED = "user_blocked"
    PROJECT_DELETED = "project_deleted"
    CI_QUOTA_EXCEEDED = "ci_quota_exceeded"
    PIPELINE_LOOP_DETECTED = "pipeline_loop_detected"
    NO_MATCHING_RUNNER = "no_matching_runner"
    TRACE_SIZE_EXCEEDED = "trace_size_exceeded"
    BUILDS_DISABLED = "builds_disabled"
    ENVIRONMENT_CREATION_FAILURE = "environment_creation_failure"
    DEPLOYMENT_REJECTED = "deployment_rejected"
    FAILED_OUTDATED_DEPLOYMENT_JOB = "failed_outdated_deployment_job"
    JOB_EXECUTION_SERVER_TIMEOUT = "job_execution_server_timeout"
    STUCK_PENDING_WITH_MATCHING_RUNNERS = "stuck_pending_with_matching_runners"
    STUCK_PENDING_NO_MATCHING_RUNNERS = "stuck_pending_no_matching_runners"
    NO_UPDATES_RUNNING = "no_updates_running"
    NO_UPDATES_CANCELING = "no_updates_canceling"
    SERVER_TIMEOUT_RUNNING = "server_timeout_running"
    SERVER_TIMEOUT_CANCELING = "server_timeout_canceling"
    RUNNER_CONFIGURATION_ERROR = "runner_configuration_error"
    RUNNER_EXTERNAL_DEPENDENCY_FAILURE = "runner_external_dependency_failure"
    RUNNER_INTERRUPTED = "runner_interrupted"
    PROTECTED_ENVIRONMENT_FAILURE = "protected_environment_failure"
    INSUFFICIENT_BRIDGE_PERMISSIONS = "insufficient_bridge_permissions"
    DOWNSTREAM_BRIDGE_PROJECT_NOT_FOUND = "downstream_bridge_project_not_found"
    INVALID_BRIDGE_TRIGGER = "invalid_bridge_trigger"
    UPSTREAM_BRIDGE_PROJECT_NOT_FOUND = "upstream_bridge_project_not_found"
    INSUFFICIENT_UPSTREAM_PERMISSIONS = "insufficient_upstream_permissions"
    BRIDGE_PIPELINE_IS_CHILD_PIPELINE = "bridge_pipeline_is_child_pipeline"
    DOWNSTREAM_PIPELINE_CREATION_FAILED = "downstream_pipeline_creation_failed"
    SECRETS_PROVIDER_NOT_FOUND = "secrets_provider_not_found"
    REACHED_MAX_DESCENDANT_PIPELINES_DEPTH = "reached_max_descendant_pipelines_depth"
    IP_RESTRICTION_FAILURE = "ip_restriction_failure"
    REACHED_MAX_PIPELINE_HIERARCHY_SIZE = "reached_max_pipeline_hierarchy_size"
    REACHED_DOWNSTREAM_PIPELINE_TRIGGER_RATE_LIMIT = (
        "reached_downstream_pipeline_trigger_rate_limit"
    )
    DUO_WORKFLOW_NOT_ALLOWED = "duo_workflow_not_allowed"
    JOB_ROUTER_FAILURE = "job_router_failure"
    JOB_TOKEN_EXPIRED = "job_token_expired"  # noqa: S105 - a reason, not a token
    ID_TOKEN_BURNED_PROJECT_PATH = "id_token_burned_project_path"  # noqa: S105 - a reason, not a token
    DOWNSTREAM_PROJECT_TRIGGER_RESOLVED_TO_EMPTY = "downstream_project_trigger_resolved_to_empty"

    def matches(self, *reasons: str) -> bool:
        """Return whether this is one of *reasons*, or a finer reason that replaced one of them.

        `FailureReason("no_updates_running").matches("stuck_or_timeout_failure")` is true, as in
        GitLab's own `retry:when`. The reverse is false. Unlisted reasons match themselves.

        Raises:
            TypeError: one of *reasons* is not a string.
        """
        for reason in reasons:
            if not isinstance(reason, str):
                raise TypeError(f"reasons must be strings, not {type(reason).__name__}")
        # Not the reverse: an old reason does not say which of the finer ones applies.
        return self in reasons or any(self in _REPLACED_BY.get(reason, ()) for reason in reasons)


# The finer reasons of each replaced one; `failure_reason_aliases` in that file.
_REPLACED_BY: dict[str, frozenset[str]] = {
    FailureReason.STUCK_OR_TIMEOUT_FAILURE: frozenset(
        {
            FailureReason.STUCK_PENDING_WITH_MATCHING_RUNNERS,
            FailureReason.STUCK_PENDING_NO_MATCHING_RUNNERS,
            FailureReason.NO_UPDATES_RUNNING,
            FailureReason.NO_UPDATES_CANCELING,
        }
    ),
    FailureReason.JOB_EXECUTION_TIMEOUT: frozenset(
        {FailureReason.SERVER_TIMEOUT_RUNNING, FailureReason.SERVER_TIMEOUT_CANCELING}
    ),
}
