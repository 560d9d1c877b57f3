"""Choose among the rows of a listing: a job with a log that is cheap to read."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gitlab_jobs_async.cli.doctor.findings import is_id

_ENDED: Final = frozenset({"success", "failed", "canceled"})


def project_number(job: Any) -> int | None:
    """Return the number of the project of a job's JSON, None if it has none."""
    pipeline = job.get("pipeline") if isinstance(job, dict) else None
    number = pipeline.get("project_id") if isinstance(pipeline, dict) else None
    return number if is_id(number) else None


def readable_job(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the row of a job with a short log, best a finished one; None without any."""
    started = [
        row
        for row in rows
        if is_id(row.get("id")) and row.get("started_at") and not row.get("erased_at")
    ]
    return min(started, key=_log_order, default=None)


def _log_order(row: Mapping[str, Any]) -> tuple[bool, bool, int]:
    size = _log_size(row)
    # A log of one byte would not show whether the range was honoured.
    return row.get("status") not in _ENDED, size < 2, size


def _log_size(row: Mapping[str, Any]) -> int:
    artifacts = row.get("artifacts")
    for file in artifacts if isinstance(artifacts, list) else []:
        if isinstance(file, dict) and file.get("file_type") == "trace" and is_id(file.get("size")):
            size: int = file["size"]
            return size
    return 0
