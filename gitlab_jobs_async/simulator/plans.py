"""Planned timelines of jobs and of future pipelines. Values only."""

import math
from collections.abc import Mapping
from typing import Final

from attrs import evolve, field, frozen
from attrs.validators import ge, in_

from gitlab_jobs_async.simulator.logs import BytesLog, Log, LogScript, RunnerScript

NEVER: Final = math.inf
_MONTH: Final = 30 * 86_400.0


def _as_log(log: "bytes | Log | LogScript") -> "Log | LogScript":
    return BytesLog(log) if isinstance(log, bytes) else log


@frozen(kw_only=True)
class JobPlan:
    """The course of a job, in seconds of the clock; `NEVER` is a time that does not come.

    Attributes:
        waiting_for_resource: seconds in `waiting_for_resource` before it is queued.
        preparing: seconds in `preparing` before it is queued.
        queued: seconds in `pending` until a runner takes it; `NEVER` leaves it stuck.
        duration: seconds it runs; `NEVER` runs until someone cancels it.
        outcome: "success", "failed", "canceled" or "skipped".
        failure_reason: GitLab's reason, if the outcome is "failed".
        when: "on_success", "on_failure", "always", "manual" or "delayed".
        start_in: seconds a delayed job is `scheduled`.
        needs: names of the jobs that it waits for (`needs:`); None waits for all earlier stages.
        allow_failure: None means GitLab's default: true for manual jobs, else false.
        coverage: percentage, known once the job has finished.
        tags: the runner tags it asks for.
        artifacts: path in the archive to content.
        artifacts_when: "on_success", "on_failure" or "always".
        artifacts_expire_in: seconds after the end, None to keep them.
        log: bytes, a `Log`, or a `LogScript` that writes one when the job starts. It grows evenly
            over the duration and is visible as far as it was uploaded.
        first_upload: seconds to the first upload of the log; None for that of the settings.
        upload_interval: seconds between uploads; None for that of the settings.
        watched: start and end, in seconds since the job's start, of a time in which a user watches
            its page: an upload in that time is followed by the next after 3 seconds.
        upload_times: times of uploads in seconds since the job's start, in place of an interval;
            the rest is uploaded at the end.
        after_script: seconds of its `after_script` if it is canceled while running; with it the
            job passes through `canceling`.
        auto_retry: number of automatic retries of a failed attempt.
        attempts: plans of the attempts after the first; the last one repeats.
        inputs: names and default values of the job's inputs.
        environment: name of the environment it deploys to, for webhooks, or None.
        environment_action: "start", "prepare", "stop", "verify" or "access".
        debug_trace: the job ran with CI_DEBUG_TRACE, so only developers may read its log.
        archived: the job is too old to be played, retried or canceled.
    """

    waiting_for_resource: float = field(default=0.0, validator=ge(0))
    preparing: float = field(default=0.0, validator=ge(0))
    queued: float = field(default=2.0, validator=ge(0))
    duration: float = field(default=30.0, validator=ge(0))
    outcome: str = field(
        default="success", validator=in_(("success", "failed", "canceled", "skipped"))
    )
    failure_reason: str = "script_failure"
    when: str = field(
        default="on_success",
        validator=in_(("on_success", "on_failure", "always", "manual", "delayed")),
    )
    start_in: float = field(default=0.0, validator=ge(0))
    needs: tuple[str, ...] | None = None
    allow_failure: bool | None = None
    coverage: float | None = None
    tags: tuple[str, ...] = field(default=(), converter=tuple[str, ...])
    artifacts: Mapping[str, bytes] = field(factory=dict[str, bytes])
    artifacts_when: str = field(
        default="on_success", validator=in_(("on_success", "on_failure", "always"))
    )
    artifacts_expire_in: float | None = _MONTH
    log: Log | LogScript = field(factory=RunnerScript, converter=_as_log, repr=False)
    first_upload: float | None = None
    upload_interval: float | None = None
    watched: tuple[tuple[float, float], ...] = field(
        default=(), converter=tuple[tuple[float, float], ...]
    )
    upload_times: tuple[float, ...] = field(default=(), converter=tuple[float, ...])
    after_script: float = field(default=0.0, validator=ge(0))
    auto_retry: int = field(default=0, validator=ge(0))
    attempts: tuple["JobPlan", ...] = ()
    inputs: Mapping[str, object] = field(factory=dict[str, object])
    environment: str | None = None
    environment_action: str = field(
        default="start", validator=in_(("start", "prepare", "stop", "verify", "access"))
    )
    debug_trace: bool = False
    archived: bool = False

    @property
    def may_fail(self) -> bool:
        """Whether the pipeline continues if the job does not succeed."""
        return self.when == "manual" if self.allow_failure is None else self.allow_failure

    @property
    def following(self) -> "JobPlan":
        """The plan of the next attempt."""
        if not self.attempts:
            return self
        left = self.attempts[1:]
        return evolve(
            self.attempts[0],
            attempts=left,
            auto_retry=self.auto_retry,
            when=self.when,
            needs=self.needs,
        )


@frozen
class PlannedJob:
    """A job of a future pipeline; `downstream` makes it a bridge."""

    name: str
    stage: str = "test"
    plan: JobPlan = field(factory=JobPlan)
    downstream: "PipelinePlan | None" = None


@frozen(kw_only=True)
class PipelinePlan:
    """A pipeline that a bridge will create, or that is created at a given time.

    Attributes:
        jobs: its jobs, in the order in which they get their ids.
        stages: in order; if empty, as the jobs name them.
        project: path of another project; None for the bridge's own, so a child pipeline.
        ref: None: the ref of the pipeline that triggers it, or "main".
        depend: the bridge waits for the pipeline's end and takes its status (`strategy: depend`).
        name: the pipeline's name.
    """

    jobs: tuple[PlannedJob, ...] = ()
    stages: tuple[str, ...] = ()
    project: str | None = None
    ref: str | None = None
    depend: bool = False
    name: str | None = None

    @property
    def stage_names(self) -> tuple[str, ...]:
        """The stages in order."""
        return self.stages or tuple(dict.fromkeys(job.stage for job in self.jobs))
