"""Requests as spans and metrics of OpenTelemetry."""

from contextlib import suppress

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from gitlab_jobs_async import GitLab, GitLabError, NotFoundError, PrivateToken
from gitlab_jobs_async.simulator import Fault, Simulator, SimulatorSettings
from gitlab_jobs_async.telemetry import tracing_hooks
from tests.support.otel import calls_of, metrics_by_name, parents_of, points_of, requests_of


async def test_request_is_a_client_span(traced, exporter):
    await traced.project("group/app").get_job(1)
    (span,) = requests_of(exporter.get_finished_spans())
    assert (span.name, span.kind) == ("GET /projects/:id/jobs/:id", SpanKind.CLIENT)
    assert span.attributes["http.request.method"] == "GET"
    assert span.attributes["http.response.status_code"] == 200
    assert span.attributes["server.address"] == "127.0.0.1"
    assert span.attributes["server.port"] > 0
    assert span.attributes["http.response.body.size"] > 100
    assert span.end_time >= span.start_time
    assert "error.type" not in span.attributes


async def test_failure_and_retry_are_marked(traced, exporter, simulator):
    simulator.faults.add(Fault(status=502))
    await traced.project("group/app").get_job(1)
    with pytest.raises(NotFoundError):
        await traced.project("group/app").get_job(99)
    failed, again, missing = requests_of(exporter.get_finished_spans())
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.attributes["error.type"] == "502"
    assert again.attributes["http.request.resend_count"] == 1
    assert missing.attributes["error.type"] == "404"


async def test_redirect_is_a_resent_request(traced, exporter, simulator):
    simulator.world.move_project(simulator.world.project("group/app"), "group/moved")
    await traced.project("group/app").get_job(1)
    moved, again = requests_of(exporter.get_finished_spans())
    assert "http.request.resend_count" not in moved.attributes
    assert again.attributes["http.request.resend_count"] == 1


SECRETS = {
    "status": Fault(status=400, body=b'{"message": "BODY-SECRET"}'),
    "header": Fault(headers={"X-Request-Id": "glpat-HEADER", "X-Other": "HEADER-SECRET"}),
    "page": Fault(body=b"<html>BODY-SECRET"),
    "reset": Fault(reset="within"),
    "none": Fault(status=503, body=b"BODY-SECRET", times=1),
}


@pytest.mark.parametrize("name", SECRETS)
async def test_no_attribute_has_a_secret(simulator, clock, tracers, meters, reader, exporter, name):
    """Not in URL, query, header, body or error text; the token is in the project's path, too."""
    simulator.world.add_token(simulator.world.registry.users[1], "glpat-HEADER")
    hooks = tracing_hooks(tracer_provider=tracers, meter_provider=meters)
    async with GitLab(
        simulator.url, auth=PrivateToken("glpat-HEADER"), clock=clock, hooks=hooks
    ) as client:
        simulator.faults.add(SECRETS[name])
        for call in (
            client.project("group/app").list_jobs(scope="failed", ref="QUERY-SECRET"),
            client.project("group/glpat-HEADER").get_job(1),
            client.graphql('query { project(fullPath: "BODY-SECRET") { id } }'),
        ):
            with suppress(GitLabError):
                await call
    spans = exporter.get_finished_spans()
    assert len(calls_of(spans)) == 3
    recorded = "".join(span.to_json() for span in spans) + reader.get_metrics_data().to_json()
    for secret in ("glpat-HEADER", "SECRET", "failed", "?"):
        assert secret not in recorded


async def test_durations_are_histograms(traced, reader):
    await traced.project("group/app").get_job(1)
    found = metrics_by_name(reader)
    assert set(found) == {"http.client.request.duration", "gitlab.client.wait.duration"}
    (point,) = found["http.client.request.duration"].data.data_points
    assert (point.count, point.attributes["url.template"]) == (1, "/projects/:id/jobs/:id")
    assert found["http.client.request.duration"].unit == "s"


async def test_waits_are_by_reason(traced, reader, simulator):
    simulator.faults.add(Fault(status=502))
    await traced.project("group/app").get_job(1)
    waits = {
        point.attributes["gitlab.wait.reason"]: (point.count, point.sum)
        for point in points_of(reader, "gitlab.client.wait.duration").values()
    }
    assert waits["queue"][0] == 2
    count, seconds = waits["retry"]
    assert count == 1
    assert 0 < seconds <= 0.2


async def test_queue_wait_is_that_of_the_pause(traced, reader, simulator):
    simulator.faults.add(Fault.throttled(retry_after=30))
    await traced.project("group/app").get_job(1)
    waits = points_of(reader, "gitlab.client.wait.duration").values()
    by_reason = {point.attributes["gitlab.wait.reason"]: point.sum for point in waits}
    assert by_reason["retry"] == 0
    assert 29 <= by_reason["queue"] <= 61


async def test_other_host_has_no_queue(clock, tracers, meters, reader, exporter):
    settings = SimulatorSettings(object_storage=True)
    hooks = tracing_hooks(tracer_provider=tracers, meter_provider=meters)
    async with (
        Simulator(settings=settings, clock=clock.stepped) as simulator,
        GitLab(simulator.url, auth=simulator.token, clock=clock, hooks=hooks) as client,
        client.project("group/app").stream_artifacts(1) as chunks,
    ):
        assert [chunk async for chunk in chunks]
    server, storage = requests_of(exporter.get_finished_spans())
    assert "url.template" not in storage.attributes
    assert storage.name == "GET"
    (call,) = calls_of(exporter.get_finished_spans())
    assert parents_of([server, storage]) == {call.context.span_id}
    waits = points_of(reader, "gitlab.client.wait.duration").values()
    assert sum(point.count for point in waits) == 1
