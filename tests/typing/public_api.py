"""Never run, only type-checked: what a caller's type checker sees of the public names."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from ssl import create_default_context
from typing import Any, assert_type

from multidict import CIMultiDictProxy

from gitlab_jobs_async import (
    ArtifactDownload,
    ArtifactEntry,
    BearerToken,
    Bridge,
    BudgetSnapshot,
    Consumer,
    Downstream,
    GitLab,
    GitLabError,
    GraphQLError,
    Job,
    JobHook,
    JobLines,
    JobStatus,
    JobTarget,
    JobToken,
    Limits,
    LogLine,
    MemoryStore,
    Monitor,
    Pipeline,
    PipelineHook,
    PipelineTarget,
    PipelineTree,
    PollPolicy,
    PrivateToken,
    Project,
    ProjectId,
    RecordedEvent,
    Request,
    RequestBudget,
    Response,
    ResponseError,
    RetryPolicy,
    SeenDeliveries,
    SqliteStore,
    Store,
    TailedLine,
    TailEnded,
    TailFailed,
    Target,
    TLSConfig,
    TraceChunk,
    WaitTimedOutError,
    WebhookRejectedError,
    consume,
    estimate_complexity,
    from_json,
    parse_webhook,
    to_dict,
    to_json,
)
from gitlab_jobs_async.events import (
    AllTargetsUnreachable,
    AnyEvent,
    AnyJobEvent,
    Event,
    JobAppeared,
    JobChanged,
    JobErased,
    JobEvent,
    JobFinished,
    JobLogEnded,
    JobLogLine,
    MonitorPaused,
    MonitorResumed,
)
from gitlab_jobs_async.models import (
    AllowedAgents,
    HookBuild,
    HookMergeRequest,
    HookRunner,
    PhaseKind,
    PipelineBasic,
    PipelineTimeline,
    Runner,
    Section,
)


async def a_client(gitlab: GitLab) -> None:
    GitLab("https://gitlab.example.com", auth="token", retry=RetryPolicy(attempts=3))
    GitLab(ssl=TLSConfig(ca_file=Path("ca.pem"), client_cert="c.pem", client_key=None))
    GitLab(ssl=create_default_context())
    GitLab.from_env(ssl=False)
    assert_type(TLSConfig(ca_file=Path("ca.pem")).ca_file, str | None)
    GitLab(auth=PrivateToken("t"), timeout=10, concurrency=4)
    GitLab.from_env(auth=BearerToken("t"), timeout=5.0)
    GitLab(auth=JobToken("t", via="query"))
    GitLab(limits=Limits(page=1024, trace=None, archive=2**30, min_rate=0.5, header=8190))
    GitLab.from_env(limits=Limits(pages=1))  # type: ignore[call-arg]  # no such limit
    GitLab(auth=JobToken("t", via="cookie"))  # type: ignore[arg-type]  # not one of the three
    GitLab.from_env(budget=RequestBudget(per_minute=100, jobs_index_per_minute=None))
    assert_type(gitlab.budget, RequestBudget)
    assert_type(gitlab.budget.snapshot(), BudgetSnapshot)
    assert_type(gitlab.budget.snapshot().remaining, int | None)
    GitLab.from_env(colour="red")  # type: ignore[call-arg]  # no such setting
    assert_type(gitlab.project(17), Project)
    assert_type(await gitlab.get_token_job(), Job)
    assert_type(await gitlab.get_allowed_agents(), AllowedAgents)
    assert_type((await gitlab.get_allowed_agents()).user.roles_in_project, tuple[str, ...])
    assert_type(await gitlab.list_jobs(["g/a", 17], scope="failed"), dict[ProjectId, list[Job]])
    assert_type(await gitlab.send(Request("GET", "/version", {"a": "b"})), Response)
    assert_type(await gitlab.graphql("{ a }", {"b": [1]}, max_complexity=None), dict[str, Any])
    assert_type(estimate_complexity("{ a }", {"b": 1}), int)
    assert_type(GraphQLError(("m",), (None,), "POST", "/api/graphql").codes, tuple[str | None, ...])
    async with gitlab as opened:
        assert_type(opened, GitLab)


async def many_logs(gitlab: GitLab, job: Job) -> None:
    async with gitlab.tail_jobs([job, (17, 4), ("group/app", 5)], lines=10) as lines:
        assert_type(lines, JobLines)
        lines.add("group/app", 6)
        assert_type(lines.remove(17, 4), bool)
        async for item in lines:
            assert_type(item, TailedLine | TailEnded | TailFailed)
            match item:
                case TailedLine(project, _, line):
                    assert_type(project, int | str)
                    assert_type(line, LogLine)
                case TailFailed(error=error):
                    assert_type(error, GitLabError)
                case TailEnded():
                    pass
    gitlab.tail_jobs([7])  # type: ignore[list-item]  # a pair


async def a_project(project: Project, after: datetime) -> None:
    assert_type(await project.list_jobs(scope=["failed", JobStatus.RUNNING]), list[Job])
    assert_type(project.iter_jobs(ref="main"), AsyncGenerator[Job, None])
    assert_type(await project.list_pipeline_jobs(1, include_retried=True), list[Job])
    assert_type(await project.list_bridges(1), list[Bridge])
    assert_type(await project.list_pipelines(updated_after=after, sort="asc"), list[PipelineBasic])
    assert_type((await project.get_pipeline(1)).tag, bool)
    await project.list_pipelines(updated_after="today")  # type: ignore[arg-type]  # a datetime
    await project.list_pipelines(colour="red")  # type: ignore[call-arg]  # no such filter
    assert_type(await project.get_pipeline(1), Pipeline)
    assert_type(await project.get_job(1), Job)
    assert_type(await project.cancel_job(1, force=True), Job)
    assert_type(await project.retry_job(1, inputs={"n": 1}), Job)
    assert_type(await project.play_job(1, variables={"K": "V"}), Job | Bridge)
    await project.play_job(1, variables={"K": 1})  # type: ignore[dict-item]  # a string
    assert_type(await project.erase_job(1), Job)
    assert_type(await project.get_trace(1), bytes)
    assert_type(project.follow_trace(1), AsyncGenerator[TraceChunk, None])
    assert_type(project.tail(1, lines=10), AsyncGenerator[LogLine, None])
    assert_type(
        project.tail(1, polling=PollPolicy(outage_timeout=9)), AsyncGenerator[LogLine, None]
    )
    async with project.stream_trace(1) as chunks:
        assert_type(chunks, AsyncIterator[bytes])
    async with project.stream_artifacts(1) as archive:
        assert_type(archive, AsyncIterator[bytes])
    assert_type(await project.list_artifacts(1), list[ArtifactEntry])
    assert_type(await project.get_artifact_file(1, "a"), bytes)
    assert_type(await project.get_latest_artifact_file("main", "a", job="b"), bytes)
    async with project.stream_latest_artifacts("main", job="b") as latest:
        assert_type(latest, AsyncIterator[bytes])
    assert_type(await project.download_artifacts(1, "a.zip", progress=print), ArtifactDownload)
    unpacked = await project.unpack_artifacts(1, "build", links="create", overwrite=True)
    assert_type(unpacked, ArtifactDownload)
    await project.unpack_latest_artifacts("main", "build", job="b", links="all")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await project.delete_artifacts(1)


async def a_pipeline(project: Project) -> None:
    async def emitted(pipeline: Pipeline, jobs: list[Job]) -> None:
        assert_type((pipeline, jobs), tuple[Pipeline, list[Job]])

    assert_type(await project.list_timelines(1), list[PipelineTimeline])
    async for timelines in project.follow_timelines(1, refresh=2.0):
        assert_type(timelines[0].time_spent, Mapping[PhaseKind, float])
    tree = await project.walk_pipeline(1, include_retried=True)
    assert_type(tree, PipelineTree)
    assert_type([found.pipeline for found in tree.walk()], list[Pipeline])
    assert_type(list(tree.all_jobs()), list[Job])
    assert_type(tree.bridges, tuple[Bridge, ...])
    assert_type(tree.downstream, tuple[Downstream, ...])
    assert_type([led.tree for led in tree.downstream], list[PipelineTree | None])
    assert_type([led.error for led in tree.unreadable()], list[ResponseError | None])
    assert_type(await project.wait_for_pipeline(1, timeout=60, progress=emitted), Pipeline)
    await project.wait_for_pipeline(1, progress=print)
    try:
        assert_type(await project.wait_for_job(1, progress=lambda job: job.status), Job)
        await project.wait_for_job(1, progress=emitted)  # type: ignore[arg-type]  # one job alone
    except WaitTimedOutError as error:
        assert_type(error.last, Job | Pipeline | None)


async def watching(gitlab: GitLab, hook: JobHook, pipeline: Pipeline) -> None:
    targets: list[Target] = [
        17,
        "group/app",
        PipelineTarget(17, 4),
        PipelineTarget(17, 5, until="blocked"),
        JobTarget("group/app", 5),
        pipeline,
    ]
    async with gitlab.monitor(targets, logs=True, checkpoint="ci.db") as events:
        assert_type(events, Monitor)
        assert_type(events, Monitor[Job])
        assert_type(events.notify(hook), bool)
        events.add(pipeline)
        events.add(None)  # type: ignore[arg-type]  # nothing that can be watched
        async for event in events:
            assert_type(event, Event)
            assert_type(event, Event[Job])
            assert_type(event.key, str)
            assert_type(event.project, int | str | None)
            on_event(event)
            match event:
                case MonitorPaused():
                    assert_type(event.until, datetime)
                    assert_type(event.next_probe, datetime | None)
                case MonitorResumed():
                    assert_type(event.kind, str)
                case AllTargetsUnreachable():
                    assert_type(event.status, int)
                case JobAppeared():
                    assert_type(event.job, Job)
                    assert_type(event.replaces, int | None)
                case JobFinished():
                    assert_type(event.previous, JobStatus | None)
                case JobLogLine():
                    assert_type(event.line, LogLine)
                case _:
                    pass


async def watching_downstream(gitlab: GitLab, *, downstream: bool) -> None:
    async with gitlab.monitor([17], downstream=True) as events:
        assert_type(events, Monitor[Job | Bridge])
        async for event in events:
            assert_type(event, AnyEvent)
            on_event(event)  # type: ignore[arg-type]  # its job may be a bridge
            if isinstance(event, JobFinished):
                assert_type(event.job, Job | Bridge)
    async with gitlab.monitor([17], downstream=downstream) as events:
        assert_type(events, Monitor[Job | Bridge])


def on_event(event: Event) -> None:
    match event:
        case JobFinished() | JobErased() | JobChanged():
            assert_type(event.job.runner, Runner | None)
        case JobLogEnded(job=job):
            assert_type(job, Job)
        case _:
            pass


def on_finished(event: JobFinished) -> None:
    assert_type(event.job, Job)


def on_any_job(event: JobEvent[Job | Bridge]) -> None:
    assert_type(event, AnyJobEvent)
    assert_type(event.job, Job | Bridge)


def a_job(job: Job) -> None:
    assert_type(job.status, JobStatus)
    assert_type(job.status.is_finished, bool)
    assert_type(job.coverage, float | str | None)
    assert_type(job.created_at, datetime)
    assert_type(job.pipeline, PipelineBasic)
    assert_type(job.web_url, str)
    assert_type(job.project_path, str | None)
    assert_type(job.tag_list, tuple[str, ...])
    assert_type(job.project_id, int)
    job.id = 7  # type: ignore[misc]  # frozen


def a_line(line: LogLine) -> None:
    assert_type(line.section, tuple[str, ...])
    assert_type(line.markers, tuple[Section, ...])
    assert_type([section.duration for section in line.markers], list[float | None])


def some_json(job: Job, event: Event) -> None:
    assert_type(to_json(job), bytes)
    assert_type(to_dict(event), dict[str, Any])
    assert_type(from_json(b"{}", Job), Job)
    assert_type(from_json({}, Pipeline), Pipeline)
    assert_type(from_json("{}"), AnyEvent)
    from_json(b"{}", "Job")  # type: ignore[call-overload]  # the class itself


async def stores() -> None:
    kept: list[Store] = [MemoryStore(), SqliteStore("ci.db")]
    RequestBudget(per_minute=60, shared=kept[0])
    async with consume(kept[1], "bot") as recorded:
        assert_type(recorded, Consumer)
        async for one in recorded:
            assert_type(one, RecordedEvent)
            assert_type(one.event, AnyEvent)


def a_delivery(headers: CIMultiDictProxy[str], body: bytes, refused: WebhookRejectedError) -> None:
    hook = parse_webhook(headers, body, token="s")
    assert_type(hook, JobHook | PipelineHook)
    assert_type(hook.status, JobStatus)
    assert_type(hook.delivery, str | None)
    assert_type(hook.raw, Mapping[str, Any])
    assert_type(hook.project_path, str | None)
    if isinstance(hook, PipelineHook):
        assert_type(hook.builds, tuple[HookBuild, ...])
        assert_type(hook.merge_request, HookMergeRequest | None)
    else:
        assert_type(hook.runner, HookRunner | None)
    assert_type(SeenDeliveries(most=100).is_repeat(hook), bool)
    assert_type(refused.status, int)
    parse_webhook(headers, body, token=["old", "new"], signing_token="whsec_YQ==", tolerance=60.0)
    parse_webhook(headers, body, token=b"s")  # type: ignore[arg-type]  # a string
