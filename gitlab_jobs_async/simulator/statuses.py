"""The thirteen statuses of a job and the legal steps between them, as one table.

Follows app/models/concerns/ci/has_status.rb and has_commit_build_status.rb, and
lib/gitlab/ci/status/composite.rb.
"""

from collections.abc import Iterable
from typing import Final

STATUSES: Final = (
    "created",
    "waiting_for_resource",
    "preparing",
    "waiting_for_callback",
    "pending",
    "running",
    "success",
    "failed",
    "canceling",
    "canceled",
    "skipped",
    "manual",
    "scheduled",
)
COMPLETED: Final = frozenset({"success", "failed", "canceled", "skipped"})
FINISHED: Final = frozenset({"success", "failed", "canceled"})
ACTIVE: Final = frozenset(
    {"waiting_for_resource", "preparing", "waiting_for_callback", "pending", "running"}
)
REPORTED: Final = FINISHED | {"pending", "running"}
"""The steps that webhooks report of a job, besides its creation: app/models/ci/build.rb."""

RETRYABLE: Final = frozenset({"success", "failed", "canceled", "canceling"})
_UNFINISHED: Final = ACTIVE | {"created"}


def _steps(sources: Iterable[str], target: str) -> dict[str, str]:
    return dict.fromkeys(sources, target)


TRANSITIONS: Final[dict[str, dict[str, str]]] = {
    "process": _steps(("skipped", "manual"), "created"),
    "enqueue": _steps(("created", "skipped", "manual", "scheduled"), "pending"),
    "prepare": _steps(
        ("created", "skipped", "manual", "scheduled", "waiting_for_resource"), "preparing"
    ),
    "enqueue_waiting_for_resource": _steps(
        ("waiting_for_resource", "created", "skipped", "manual", "scheduled"), "pending"
    ),
    "wait_for_resource": _steps(
        ("created", "skipped", "manual", "scheduled"), "waiting_for_resource"
    ),
    "enqueue_preparing": _steps(("preparing",), "pending"),
    "actionize": _steps(("created",), "manual"),
    "schedule": _steps(("created",), "scheduled"),
    "unschedule": _steps(("scheduled",), "manual"),
    "enqueue_scheduled": _steps(("scheduled",), "pending"),
    "run": _steps(("pending",), "running"),
    "skip": _steps(("created", "waiting_for_resource", "preparing", "pending"), "skipped"),
    "succeed": {**_steps(_UNFINISHED, "success"), "canceling": "canceled"},
    "drop": {**_steps(_UNFINISHED | {"manual", "scheduled"}, "failed"), "canceling": "canceled"},
    "cancel": _steps(_UNFINISHED | {"manual", "scheduled"}, "canceled"),
    "cancel_gracefully": _steps(("running",), "canceling"),
    "force_cancel": _steps(("canceling",), "canceled"),
}

_QUIET: Final = frozenset({"warning", "ignored"})
_ONLY: Final = (
    ("skipped", frozenset({"skipped", "ignored"})),
    ("success", _QUIET | {"success", "skipped"}),
    ("created", _QUIET | {"created"}),
    ("preparing", _QUIET | {"preparing"}),
    ("canceled", _QUIET | {"canceled", "success", "skipped"}),
    ("pending", _QUIET | {"pending", "created", "skipped"}),
)
_ANY: Final = (
    ("running", "running"),
    ("pending", "running"),
    ("waiting_for_resource", "waiting_for_resource"),
    ("waiting_for_callback", "waiting_for_callback"),
    ("manual", "manual"),
    ("scheduled", "scheduled"),
    ("preparing", "preparing"),
    ("created", "running"),
    ("canceling", "canceling"),
)


def composite(jobs: Iterable[tuple[str, bool]]) -> str | None:
    """Return the combined status of jobs given as (status, allow_failure), None for no jobs."""
    seen = {_seen_as(status, allow_failure) for status, allow_failure in jobs}
    if not seen:
        return None
    return _of_settled(seen) or _of_unsettled(seen)


def composite_of_needs(jobs: Iterable[tuple[str, bool]]) -> str | None:
    """Return the combined status of the jobs that one needs, None for no jobs (`dag: true`)."""
    seen = {_seen_as(status, allow_failure) for status, allow_failure in jobs}
    if seen & {"skipped", "ignored"}:
        return "skipped"
    if seen - {"success", "failed", "canceled", "warning"}:
        return "pending"
    return _of_settled(seen) or _of_unsettled(seen) if seen else None


def _seen_as(status: str, allow_failure: bool) -> str:  # noqa: FBT001 - a field of the job
    if not allow_failure:
        return status
    if status == "manual":
        return "ignored"
    return "warning" if status in {"failed", "canceled"} else status


def _of_settled(seen: set[str]) -> str | None:
    for status, company in _ONLY:
        if seen <= company:
            return status
    return None


def _of_unsettled(seen: set[str]) -> str:
    for any_of, status in _ANY:
        if any_of in seen:
            return status
    return "failed"
