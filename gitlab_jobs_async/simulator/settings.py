"""Settings of the simulated GitLab."""

import re
from typing import Final

from attrs import evolve, field, frozen
from attrs.validators import ge, gt, in_, le, optional

from gitlab_jobs_async.simulator.history import KEPT
from gitlab_jobs_async.simulator.versions import NEWEST, Features, features_of, full_version

JOBS_INDEX_LIMIT: Final = 600
_ORIGIN: Final = re.compile(r"https?://[^/?#@\s]+")
_OVERRIDES: Final = (
    "keyset",
    "cursor_headers",
    "job_ref_filter",
    "byte_ranges",
    "jobs_index_retry_after",
)


@frozen(kw_only=True)
class GraphqlSettings:
    """How `/api/graphql` answers; the defaults cost no time.

    Attributes:
        seconds: seconds of work on every request, by the simulator's clock. The answer is as old
            as the work takes: it states what was true when the request came.
        seconds_per_project: seconds of work on the pipelines of each project.
        time_limit: seconds after which no further field is resolved (`graphql_timeout`, 30).
        partial: past the limit answer 200 with the fields that were resolved and an error for each
            other one; False answers 503, as after a cancelled statement of the database.
        replica_lag: seconds by which answers lag behind, at most 900: they state what was true
            then, as read from a replica of the database. `Fault(behind=...)` does so for one.
        max_complexity: the limit of complexity for everybody; None for GitLab's own, which are 200
            without a token, 250 with one, 300 for an administrator.
    """

    seconds: float = field(default=0.0, validator=ge(0))
    seconds_per_project: float = field(default=0.0, validator=ge(0))
    time_limit: float = field(default=30.0, validator=gt(0))
    partial: bool = True
    replica_lag: float = field(default=0.0, validator=[ge(0), le(KEPT)])
    max_complexity: int | None = field(default=None, validator=optional(ge(0)))


@frozen(kw_only=True)
class SimulatorSettings:
    """Configuration of the simulated server; the defaults are a self-managed GitLab 19.5.

    A switch that is None follows `version`; set one to play a server that differs from its release.

    Attributes:
        version: the release to play, from 15.0 on, such as "16.0" or "18.4.2"; answered by
            `/version` and `/metadata`. Rows of the API have today's fields in all of them.
        external_url: origin (no path) named in `Link`, `Location` and `web_url`; None for the
            listening one. Another origin plays a server behind a port forward.
        keyset: keyset pagination on project jobs (15.9). False ignores `pagination=keyset` and
            pages by offset.
        cursor_headers: send `X-NEXT-CURSOR` and `X-PREV-CURSOR` beside the keyset `Link`, and
            answer 500 to a forward cursor without rows below it; both came with one change of
            GitLab (18.2). False answers it with 200 and an empty list.
        cursor_form: "json" is GitLab's base64 of `{"id":"123","_kd":"n"}`; "opaque" cannot be read
            or forged, for clients that must not depend on the first. A broken cursor is a 500.
        offset_limit: `page * per_page` above it is a 405 on project jobs; 0 switches the limit off
            (GitLab.com has 50,000).
        count_limit: lists of more rows get no `X-Total` and no `rel=last`.
        positive_pagination: `page` or `per_page` below 1 is a 400, as with the flag
            `only_positive_pagination_values`. It is off by default: only `per_page=0` is a 400.
        job_ref_filter: `ref` filters project jobs (19.1); False ignores it.
        byte_ranges: traces honour `byte_offset` and `byte_limit` (19.1); False ignores them.
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
        storage_ranges: that storage honours `Range` and `If-Range` and sends strong ETags, as S3.
        jobs_archived_after: age in seconds from which a job is archived and cannot be played,
            retried or canceled; None for never (GitLab.com: about three months).
        api_limit: requests per window and user (Rack::Attack); None for neither limit nor headers,
            GitLab's default.
        api_window: length of that window in seconds; windows are aligned to the epoch.
        rate_limit_headers: "always" (18.6) or "throttled" (on 429 only).
        jobs_index_limit: requests to `GET /projects/:id/jobs` per user and minute of the clock;
            None is GitLab's default (600 from 16.5 on); 0 switches the limit off.
        jobs_index_retry_after: whether the JSON 429 of that limit carries `Retry-After`, which is
            always 60 (18.0).
        graphql: how `/api/graphql` answers; None for a server without it, which answers 404. It
            needs the extra `graphql`; without graphql-core it is a 404, too.
        kept_requests: number of latest requests kept in `requests`, None for all.
        features: features of the version with the switches above; not an argument.
    """

    version: str = field(default=NEWEST, converter=full_version)
    external_url: str | None = field(default=None)
    keyset: bool | None = None
    cursor_headers: bool | None = None
    cursor_form: str = field(default="json", validator=in_(("json", "opaque")))
    offset_limit: int = field(default=0, validator=ge(0))
    count_limit: int = field(default=10_000, validator=ge(0))
    positive_pagination: bool = False
    job_ref_filter: bool | None = None
    byte_ranges: bool | None = None
    archived_ranges: bool = False
    archive_after: float = field(default=0.0, validator=ge(0))
    etags: bool = True
    gzip: bool = False
    first_upload: float = field(default=3.0, validator=ge(0))
    upload_interval: float = field(default=60.0, validator=gt(0))
    pipeline_status_delay: float = field(default=0.0, validator=ge(0))
    object_storage: bool = False
    storage_ranges: bool = False
    jobs_archived_after: float | None = None
    api_limit: int | None = field(default=None, validator=optional(ge(1)))
    api_window: float = field(default=60.0, validator=gt(0))
    rate_limit_headers: str | None = field(
        default=None, validator=optional(in_(("always", "throttled")))
    )
    jobs_index_limit: int | None = field(default=None, validator=optional(ge(0)))
    jobs_index_retry_after: bool | None = None
    graphql: GraphqlSettings | None = field(factory=GraphqlSettings)
    kept_requests: int | None = field(default=None, validator=optional(ge(0)))
    features: Features = field(init=False, eq=False, repr=False)

    @external_url.validator
    def _origin(self, _attribute: object, value: str | None) -> None:
        if value is not None and not _ORIGIN.fullmatch(value):
            raise ValueError(f"external_url {value!r}: expected an origin without a path")

    @features.default
    def _by_version(self) -> Features:
        chosen = {name: getattr(self, name) for name in _OVERRIDES}
        if self.rate_limit_headers is not None:
            chosen["rate_limit_headers"] = self.rate_limit_headers == "always"
        known = {name: value for name, value in chosen.items() if value is not None}
        return evolve(features_of(self.version), **known)

    @property
    def jobs_per_minute(self) -> int:
        """The limit of `GET /projects/:id/jobs` per user and minute, 0 for no limit."""
        if self.jobs_index_limit is not None:
            return self.jobs_index_limit
        return JOBS_INDEX_LIMIT if self.features.jobs_index_limit else 0
