"""What kind of GitLab the simulator plays: one value, every switch documented."""

import re
from typing import Final

from attrs import field, frozen
from attrs.validators import ge, gt, in_, optional

_ORIGIN: Final = re.compile(r"https?://[^/?#@\s]+")


@frozen(kw_only=True)
class SimulatorSettings:
    """How the simulated server is configured; the defaults are a GitLab 19.5 of one's own.

    Only its rate limits are off.

    Attributes:
        version: answered by `/version` and `/metadata`; changes nothing else.
        external_url: origin (no path) named in `Link`, `Location` and `web_url`; None: the origin
            that really listens. Set another one to play a server behind a port forward.
        keyset: keyset pagination on project jobs. False plays a server before 15.9, which ignores
            `pagination=keyset` and pages by offset.
        cursor_headers: send `X-NEXT-CURSOR` and `X-PREV-CURSOR` beside the keyset `Link`.
        cursor_form: "json" is GitLab's base64 of `{"id":"123","_kd":"n"}`; "opaque" a form nobody
            can read or forge, for clients that must not depend on the first.
        malformed_cursor_status: what a cursor that cannot be read is answered with, 400 or 405.
            What a real server does is not known.
        offset_limit: `page * per_page` above it is a 405 on project jobs; 0 switches the limit off
            (GitLab.com has 50,000).
        count_limit: lists of more rows get no `X-Total` and no `rel=last`.
        positive_pagination: `page` or `per_page` below 1 is a 400 (19.x); False plays an older
            server: `per_page=0` alone is refused, with another text.
        job_ref_filter: `ref` filters project jobs (19.x); False ignores it.
        byte_ranges: traces honour `byte_offset` and `byte_limit` (19.x); False ignores them.
        archived_ranges: the traces of finished jobs honour `Range` with a 206 and carry a strong
            ETag, as with the flag `ci_job_trace_api_archived_log_via_workhorse`.
        archive_after: seconds between a job's end and the archiving of its log.
        etags: weak ETags on GET, and 304 for a matching `If-None-Match`.
        gzip: compress bodies for clients that accept it, as a front proxy may; drops the
            `Content-Length` of the plain body and its ETag.
        first_upload: seconds from a job's start to the runner's first upload of its log.
        upload_interval: seconds between later uploads (60; 3 when watched; once 30).
        pipeline_status_delay: seconds by which a pipeline's status lags behind its jobs.
        object_storage: archives of artifacts are a 302 to a second port on another origin.
        jobs_archived_after: age in seconds from which a job is archived, so can be neither played
            nor retried nor canceled; None never (GitLab.com: about three months).
        api_limit: requests per window and user (Rack::Attack); None: no limit, no headers.
        api_window: length of that window in seconds.
        rate_limit_headers: "always" (today) or "throttled" (older: on 429 only).
        jobs_index_limit: requests per minute and user to `GET /projects/:id/jobs`. A real server
            has 600 by default; None, no limit, is the default here, so that no test or benchmark is
            throttled by surprise.
        jobs_index_retry_after: whether the JSON 429 of that limit carries `Retry-After`.
        kept_requests: of how many requests, the latest, `requests` keeps the record; None: of all.
    """

    version: str = "19.5.0"
    external_url: str | None = field(default=None)
    keyset: bool = True
    cursor_headers: bool = True
    cursor_form: str = field(default="json", validator=in_(("json", "opaque")))
    malformed_cursor_status: int = field(default=400, validator=in_((400, 405)))
    offset_limit: int = field(default=0, validator=ge(0))
    count_limit: int = field(default=10_000, validator=ge(0))
    positive_pagination: bool = True
    job_ref_filter: bool = True
    byte_ranges: bool = True
    archived_ranges: bool = False
    archive_after: float = field(default=0.0, validator=ge(0))
    etags: bool = True
    gzip: bool = False
    first_upload: float = field(default=3.0, validator=ge(0))
    upload_interval: float = field(default=60.0, validator=gt(0))
    pipeline_status_delay: float = field(default=0.0, validator=ge(0))
    object_storage: bool = False
    jobs_archived_after: float | None = None
    api_limit: int | None = field(default=None, validator=optional(ge(1)))
    api_window: float = field(default=60.0, validator=gt(0))
    rate_limit_headers: str = field(default="always", validator=in_(("always", "throttled")))
    jobs_index_limit: int | None = field(default=None, validator=optional(ge(1)))
    jobs_index_retry_after: bool = True
    kept_requests: int | None = field(default=None, validator=optional(ge(0)))

    @external_url.validator
    def _origin(self, _attribute: object, value: str | None) -> None:
        if value is not None and not _ORIGIN.fullmatch(value):
            raise ValueError(f"external_url must be an origin without a path, not {value!r}")
