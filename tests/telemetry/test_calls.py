"""Calls of the client as spans of OpenTelemetry, the parents of their requests."""

import asyncio
import gc
import inspect
from contextlib import aclosing
from unittest.mock import create_autospec

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import StatusCode

from gitlab_jobs_async import GitLab, GroupTarget, NotFoundError, PollPolicy, Project
from gitlab_jobs_async.group import Group
from gitlab_jobs_async.http.hooks import CallHooks
from gitlab_jobs_async.simulator import Fault
from tests.support.cancellation import cancel_half_way
from tests.support.otel import calls_of, parents_of, requests_of
from tests.support.tasks import others, until

NO_SPAN = trace.INVALID_SPAN


async def read(block):
    async with block as items:
        return [item async for item in items]


async def every(rows):
    return [row async for row in rows]


CALLS = {
    "list_jobs": lambda gitlab: gitlab.list_jobs(["group/app", 1]),
    "stream_jobs": lambda gitlab: read(gitlab.stream_jobs(["group/app", 1])),
    "tail_jobs": lambda gitlab: read(gitlab.tail_jobs([("group/app", 1)])),
    "graphql": lambda gitlab: gitlab.graphql("{ metadata { version } }"),
    "iter_jobs": lambda gitlab: every(gitlab.project(1).iter_jobs()),
    "get_job": lambda gitlab: gitlab.project(1).get_job(1),
    "retry_job": lambda gitlab: gitlab.project(1).retry_job(3),
    "wait_for_job": lambda gitlab: gitlab.project(1).wait_for_job(1),
    "list_pipelines": lambda gitlab: gitlab.project(1).list_pipelines(),
    "walk_pipeline": lambda gitlab: gitlab.project(1).walk_pipeline(1),
    "stream_trace": lambda gitlab: read(gitlab.project(1).stream_trace(1)),
    "follow_trace": lambda gitlab: every(gitlab.project(1).follow_trace(1)),
    "tail": lambda gitlab: every(gitlab.project(1).tail(1)),
    "list_projects": lambda gitlab: gitlab.group("group").list_projects(),
    "iter_projects": lambda gitlab: every(gitlab.group("group").iter_projects()),
}


@pytest.mark.parametrize("name", CALLS)
async def test_call_is_the_parent_of_its_requests(traced, exporter, tracers, name):
    with tracers.get_tracer("caller").start_as_current_span("report") as report:
        await CALLS[name](traced)
        assert trace.get_current_span() is report
    spans = exporter.get_finished_spans()
    (call,) = [span for span in calls_of(spans) if span.name == name]
    assert parents_of([call]) == {report.get_span_context().span_id}
    assert requests_of(spans)
    assert parents_of(requests_of(spans)) == {call.context.span_id}
    assert call.status.status_code is StatusCode.UNSET
    assert all(span.end_time <= call.end_time for span in requests_of(spans))


async def test_ids_are_attributes(traced, exporter):
    await traced.project("group/app").get_job(1)
    await traced.project(1).list_pipeline_jobs(pipeline_id=1)
    await traced.group("group").list_projects()
    assert [dict(span.attributes) for span in calls_of(exporter.get_finished_spans())] == [
        {"gitlab.project": "group/app", "cicd.pipeline.task.run.id": "1"},
        {"gitlab.project": "1", "cicd.pipeline.run.id": "1"},
        {"gitlab.group": "group"},
    ]


async def test_call_within_a_call_is_its_child(traced, exporter):
    await traced.list_jobs([GroupTarget("group")])
    inner, outer = calls_of(exporter.get_finished_spans())
    assert (inner.name, outer.name) == ("list_projects", "list_jobs")
    assert parents_of([inner]) == {outer.context.span_id}


async def test_failed_call_has_its_error(traced, exporter):
    with pytest.raises(NotFoundError):
        await traced.project("group/app").get_job(99)
    (call,) = calls_of(exporter.get_finished_spans())
    assert call.attributes["error.type"] == "NotFoundError"
    assert (call.status.status_code, call.status.description) == (
        StatusCode.ERROR,
        "NotFoundError",
    )
    assert not call.events  # the text of an exception quotes the server


async def test_failed_iteration_has_its_error(traced, exporter, simulator):
    simulator.faults.add(Fault(status=404))
    with pytest.raises(NotFoundError):
        await every(traced.project("group/app").iter_jobs())
    (call,) = calls_of(exporter.get_finished_spans())
    assert call.attributes["error.type"] == "NotFoundError"


async def test_invalid_argument_begins_no_request(traced, exporter):
    with pytest.raises(ValueError, match="job_id"):
        traced.project("group/app").tail(-1)
    assert not exporter.get_finished_spans()


@pytest.mark.parametrize("name", ["get_job", "list_jobs", "tail", "stream_jobs", "stream_trace"])
async def test_cancelled_call_ends_its_span(traced, exporter, simulator, name):
    call = CALLS[name](traced)
    await cancel_half_way(simulator, traced, call)
    (span,) = calls_of(exporter.get_finished_spans())
    assert (span.name, span.attributes["error.type"]) == (name, "CancelledError")
    # Each request that was in flight has ended, too.
    requests = requests_of(exporter.get_finished_spans())
    assert {one.attributes["error.type"] for one in requests} == {"CancelledError"}


@pytest.mark.parametrize("name", ["iter_jobs", "tail", "follow_trace", "iter_pipelines"])
async def test_iterator_left_early_ends_its_span(traced, exporter, name):
    before = await others()
    app = traced.project("group/app")
    arguments = (1,) if name in {"tail", "follow_trace"} else ()
    async with aclosing(getattr(app, name)(*arguments)) as rows:
        async for _ in rows:
            assert trace.get_current_span() is NO_SPAN
            assert not calls_of(exporter.get_finished_spans())
            break
    (span,) = calls_of(exporter.get_finished_spans())
    assert (span.name, span.status.status_code) == (name, StatusCode.UNSET)
    assert await others() == before


async def test_dropped_iterator_ends_its_span(traced, exporter):
    async for _ in traced.project("group/app").iter_jobs():
        break
    gc.collect()
    assert not await others()
    (span,) = calls_of(exporter.get_finished_spans())
    assert (span.name, span.status.status_code) == ("iter_jobs", StatusCode.UNSET)


async def test_unused_iterator_has_no_span(traced, exporter):
    await traced.project("group/app").iter_jobs().aclose()
    assert not exporter.get_finished_spans()


async def test_block_left_early_ends_its_span(traced, exporter):
    before = await others()
    async with traced.stream_jobs(["group/app"]) as jobs:
        async for _ in jobs:
            assert trace.get_current_span() is NO_SPAN
            break
    (span,) = calls_of(exporter.get_finished_spans())
    assert span.name == "stream_jobs"
    assert await others() == before


async def test_pages_of_a_block_are_its_children(traced, exporter, simulator):
    """The consumer starts them, in its own context."""
    big = simulator.world.add_project("big")
    simulator.world.add_finished_jobs(big, 500)
    tracer = trace.NoOpTracer()
    async with traced.stream_jobs(["big"]) as jobs:
        with tracer.start_as_current_span("consumer"):
            assert len([job async for job in jobs]) == 500
    (call,) = calls_of(exporter.get_finished_spans())
    requests = requests_of(exporter.get_finished_spans())
    assert len(requests) >= 5
    assert parents_of(requests) == {call.context.span_id}


async def test_log_added_later_is_in_the_block(traced, exporter):
    async with traced.tail_jobs([("group/app", 1)], follow=False) as lines:
        assert [item async for item in lines]
        lines.add("group/app", 2)
        assert [item async for item in lines]
    (call,) = calls_of(exporter.get_finished_spans())
    requests = requests_of(exporter.get_finished_spans())
    assert len(requests) >= 2
    assert parents_of(requests) == {call.context.span_id}


async def test_steps_in_several_tasks_leave_no_span(traced, exporter, caplog):
    """A span that stays current over a yield cannot be reset in another task."""
    rows = traced.project("group/app").iter_jobs()
    for _ in range(2):
        await asyncio.create_task(anext(rows))
        assert trace.get_current_span() is NO_SPAN
    await asyncio.create_task(rows.aclose())
    assert "detach" not in caplog.text
    (call,) = calls_of(exporter.get_finished_spans())
    assert parents_of(requests_of(exporter.get_finished_spans())) == {call.context.span_id}


async def test_concurrent_calls_keep_their_requests(traced, exporter):
    app = traced.project("group/app")
    await asyncio.gather(app.get_job(1), app.get_job(2), app.list_pipelines())
    spans = exporter.get_finished_spans()
    calls = {span.context.span_id: span.attributes for span in calls_of(spans)}
    assert len(calls) == len(parents_of(requests_of(spans))) == 3
    for span in requests_of(spans):
        number = calls[span.parent.span_id].get("cicd.pipeline.task.run.id")
        assert number is None or span.attributes["url.full"].endswith(f"/jobs/{number}")


async def test_scan_of_a_monitor_is_a_span(traced, exporter):
    policy = PollPolicy(interval=5.0)
    async with traced.monitor(["group/app"], polling=policy) as events:
        async for _ in events:
            break
    spans = exporter.get_finished_spans()
    scans = [span for span in calls_of(spans) if span.name == "monitor_scan"]
    assert {span.attributes["gitlab.project"] for span in scans} == {"group/app"}
    assert parents_of(requests_of(spans)) <= {span.context.span_id for span in scans}
    assert parents_of(scans) == {None}
    assert "monitor" not in {span.name for span in calls_of(spans)}


async def test_group_of_a_monitor_is_a_span(traced, exporter):
    async with traced.monitor([GroupTarget("group")]) as events:
        async for _ in events:
            break
    found = [s for s in calls_of(exporter.get_finished_spans()) if s.name == "monitor_group"]
    assert found[0].attributes["gitlab.group"] == "group"


async def test_failing_tracer_changes_no_call(simulator, clock, caplog):
    async with GitLab(
        simulator.url,
        auth=simulator.token,
        clock=clock,
        hooks=CallHooks(on_call=lambda _start: 1 / 0),
    ) as client:
        assert (await client.project(1).get_job(1)).id == 1
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("kind", [GitLab, Project, Group])
def test_method_keeps_its_kind_and_signature(kind):
    """`create_autospec` makes an `AsyncMock` of a coroutine function only."""
    for name in ("list_jobs", "get_job", "graphql", "list_projects"):
        if method := getattr(kind, name, None):
            assert inspect.iscoroutinefunction(method)
            assert inspect.iscoroutinefunction(getattr(create_autospec(kind), name))
            assert method.__doc__
            assert "arguments" not in inspect.signature(method).parameters


class OpenSpans(SpanProcessor):
    """The names of unfinished spans."""

    def __init__(self):
        self.names = []

    def on_start(self, span, parent_context=None):
        del parent_context
        self.names.append(span.name)

    def on_end(self, span):
        self.names.remove(span.name)


@pytest.mark.parametrize("name", ["get_job", "list_jobs", "iter_jobs", "stream_trace", "tail_jobs"])
async def test_cancelled_at_any_turn_ends_all_spans(traced, tracers, simulator, name):
    tracers.add_span_processor(spans := OpenSpans())
    before = await others()
    for turns in range(0, 200, 3):
        simulator.faults.clear()
        simulator.faults.add(Fault(status=502))
        task = asyncio.create_task(CALLS[name](traced))
        for _ in range(turns):
            await asyncio.sleep(0)
        was_done = task.done()
        task.cancel()
        await asyncio.wait([task])
        assert spans.names == []
        if was_done:
            break
    assert await others() == before


async def test_monitor_left_early_ends_all_spans(traced, tracers, simulator):
    tracers.add_span_processor(spans := OpenSpans())
    simulator.faults.add(Fault(latency=1.0, skip=1, times=None))
    async with traced.monitor(["group/app", GroupTarget("group")]):
        await until(lambda: "monitor_scan" in spans.names and "monitor_group" in spans.names)
    assert spans.names == []
