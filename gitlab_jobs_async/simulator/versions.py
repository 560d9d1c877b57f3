"""Differences between the releases of GitLab, as one table. Values only."""

import re
from typing import Final

from attrs import frozen

from gitlab_jobs_async.simulator.statuses import STATUSES

NEWEST: Final = "19.5.0"
OLDEST: Final = (15, 0)
_VERSION: Final = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})(?:\.([0-9]{1,4}))?(-[a-z0-9.]+)?")

_SINCE: Final[dict[str, tuple[int, int]]] = {
    "metadata": (15, 2),
    "own_token": (15, 5),
    "keyset": (15, 9),
    "webhook_uuids": (16, 2),
    "jobs_index_limit": (16, 5),
    "waiting_for_callback": (16, 9),  # 16.8 to 17.0
    "canceling": (17, 0),
    "bridge_retry": (17, 0),
    "idempotency_keys": (17, 4),
    "force_cancel": (17, 11),
    "jobs_index_retry_after": (18, 0),  # between 15.x and 18.4
    "cursor_headers": (18, 2),  # between 18.0 and 18.4
    "iso_times": (18, 2),  # between 17.x and 18.4
    "rate_limit_headers": (18, 6),  # between 18.4 and 19.1
    "artifacts_tree": (19, 1),  # these three: after the 18.x documentation
    "byte_ranges": (19, 1),
    "job_ref_filter": (19, 1),
}
"""The first release with each feature.

A comment gives the bounds where no source names the release.
"""


@frozen(kw_only=True)
class Features:
    """Features of a release of GitLab; each is False in earlier releases.

    Attributes:
        metadata: `GET /metadata`.
        own_token: `GET /personal_access_tokens/self`.
        keyset: keyset pagination of project jobs.
        webhook_uuids: `X-Gitlab-Webhook-UUID` on webhooks.
        jobs_index_limit: the limit of `GET /projects/:id/jobs`, 600 a minute by default.
        waiting_for_callback: that status.
        canceling: that status, for a job whose after_script still runs.
        bridge_retry: retrying a bridge; else it is not found.
        idempotency_keys: `Idempotency-Key` on webhooks.
        force_cancel: `force` when canceling; else ignored.
        jobs_index_retry_after: `Retry-After` on the JSON 429.
        cursor_headers: `X-NEXT-CURSOR` and `X-PREV-CURSOR`. The same change of cursor_pager.rb made
            a forward cursor without rows below it a 500, which was 200 with an empty list.
        iso_times: the `_iso` twins of a Job event's times, and its ISO times; else all are written
            like `2025-06-15 15:06:40 UTC`.
        rate_limit_headers: `RateLimit-*` on all answers; else on 429 only.
        artifacts_tree: the listing of an archive's files.
        byte_ranges: `byte_offset` and `byte_limit` of traces.
        job_ref_filter: `ref` of the list of project jobs.
    """

    metadata: bool
    own_token: bool
    keyset: bool
    webhook_uuids: bool
    jobs_index_limit: bool
    waiting_for_callback: bool
    canceling: bool
    bridge_retry: bool
    idempotency_keys: bool
    force_cancel: bool
    jobs_index_retry_after: bool
    cursor_headers: bool
    iso_times: bool
    rate_limit_headers: bool
    artifacts_tree: bool
    byte_ranges: bool
    job_ref_filter: bool

    @property
    def statuses(self) -> tuple[str, ...]:
        """The statuses that `scope` may name."""
        unknown = {
            name for name in ("waiting_for_callback", "canceling") if not getattr(self, name)
        }
        return tuple(status for status in STATUSES if status not in unknown)


def full_version(text: str) -> str:
    """Return *text* with all three numbers, such as "16.0.0" for "16.0".

    Raises:
        ValueError: it is invalid or below 15.0.
    """
    match = _VERSION.fullmatch(str(text))
    if match is None:
        raise ValueError(f"invalid version {text!r}: expected one such as 16.0 or {NEWEST}")
    major, minor, patch, suffix = match.groups()
    if (int(major), int(minor)) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise ValueError(f"version {text} is too old to be simulated: expected {oldest} or newer")
    return f"{int(major)}.{int(minor)}.{int(patch or 0)}{suffix or ''}"


def release_of(version: str) -> tuple[int, int]:
    """Return the first two numbers of a version."""
    major, minor = full_version(version).split(".")[:2]
    return int(major), int(minor)


def features_of(version: str) -> Features:
    """Return the features of a version; an unknown newer one has those of the newest."""
    release = release_of(version)
    return Features(**{name: release >= since for name, since in _SINCE.items()})
