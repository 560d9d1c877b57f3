"""Traces as the server returns them: whole or by ranges, as far as uploaded.

Follows lib/api/ci/jobs.rb and lib/gitlab/ci/trace.rb.
"""

import hashlib
import math
from collections.abc import Iterator
from typing import Final

from attrs import frozen

from gitlab_jobs_async.simulator.api.answers import TEXT, Answer, error
from gitlab_jobs_async.simulator.api.calls import Call
from gitlab_jobs_async.simulator.api.parameters import integer
from gitlab_jobs_async.simulator.api.ranges import requested_range
from gitlab_jobs_async.simulator.plans import JobPlan
from gitlab_jobs_async.simulator.records import Job
from gitlab_jobs_async.simulator.settings import SimulatorSettings

MAX_BYTE_LIMIT: Final = 512_000
_WATCHED_INTERVAL: Final = 3.0


@frozen
class TraceBody:
    """A part of a log, read while it is sent."""

    job: Job
    start: int
    stop: int

    @property
    def size(self) -> int:
        """The length in bytes."""
        return self.stop - self.start

    def pieces(self) -> Iterator[bytes]:
        """Return the bytes, in order."""
        return self.job.log.read(self.start, self.stop)


def visible_size(job: Job, now: float, settings: SimulatorSettings) -> int:
    """Return how many bytes of a log have been uploaded; all of them once the job has ended."""
    if job.started_at is None or job.erased_at is not None:
        return 0
    if job.finished_at is not None:
        return job.log_at(now)
    uploaded = _last_upload(job.plan, now - job.started_at, settings)
    return 0 if uploaded is None else job.log_at(job.started_at + uploaded)


def _last_upload(plan: JobPlan, since: float, settings: SimulatorSettings) -> float | None:
    """Return the time of the last upload of a job that runs for *since* seconds, from its start."""
    # A given schedule replaces first upload and interval.
    if plan.upload_times:
        return max((at for at in plan.upload_times if at <= since), default=None)
    first = settings.first_upload if plan.first_upload is None else plan.first_upload
    interval = plan.upload_interval or settings.upload_interval
    if since < first:
        return None
    if not plan.watched:
        return first + math.floor((since - first) / interval + 1e-9) * interval
    at = following = first
    while following <= since + 1e-9:
        at = following
        # The response to an upload tells a runner that its page is watched.
        is_watched = any(begin <= at < end for begin, end in plan.watched)
        following += _WATCHED_INTERVAL if is_watched else interval
    return at


def trace(call: Call, job: Job) -> Answer:
    """Answer GET .../trace."""
    size = visible_size(job, call.now, call.settings)
    ranged = _byte_range(call, size) if call.settings.features.byte_ranges else None
    start, stop = ranged or (0, size)
    headers = [TEXT, ("Content-Disposition", f'infile; filename="{job.id}.log"')]
    ended = job.finished_at
    archived = ended is not None and call.now >= ended + call.settings.archive_after
    if call.settings.archived_ranges and archived and size and ranged is None:
        return _archived(call, job, size, headers)
    # Rack::ETag sends no ETag for an empty body.
    etag = f'W/"{_fingerprint(job, start, stop)}"' if stop > start else None
    return Answer(200, tuple(headers), TraceBody(job, start, stop), etag)


def _fingerprint(job: Job, start: int, stop: int) -> str:
    key = f"{job.id}/{job.log_revision}/{start}-{stop}"
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _byte_range(call: Call, size: int) -> tuple[int, int] | None:
    if "byte_offset" not in call.params and "byte_limit" not in call.params:
        return None
    offset = integer(call.params, "byte_offset")
    limit = integer(call.params, "byte_limit")
    if offset is not None and offset < 0:
        raise error(400, "byte_offset does not have a valid value")
    if limit is not None and not 1 <= limit <= MAX_BYTE_LIMIT:
        raise error(400, "byte_limit does not have a valid value")
    # An offset past the end is an empty 200, not a 416.
    start = min(offset or 0, size)
    return start, size if limit is None else min(start + limit, size)


def _archived(call: Call, job: Job, size: int, headers: list[tuple[str, str]]) -> Answer:
    # Workhorse serves archived logs as files, with the ranges of net/http.
    headers.append(("Accept-Ranges", "bytes"))
    etag = f'"{_fingerprint(job, 0, size)}"'
    requested = requested_range(call.request.headers.get("range", ""), size)
    if requested is None:
        return Answer(200, tuple(headers), TraceBody(job, 0, size), etag)
    start, stop = requested
    if start >= stop:
        headers.append(("Content-Range", f"bytes */{size}"))
        return Answer(416, tuple(headers), etag=etag)
    headers.append(("Content-Range", f"bytes {start}-{stop - 1}/{size}"))
    return Answer(206, tuple(headers), TraceBody(job, start, stop), etag)
