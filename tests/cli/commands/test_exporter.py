"""The command `exporter`: metrics over HTTP, and counters that continue."""

import asyncio
import json
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime

import aiohttp
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from gitlab_jobs_async import Job, JobStatus, RequestBudget
from gitlab_jobs_async.cli.metrics_server import metrics_server
from gitlab_jobs_async.events import JobFinished
from gitlab_jobs_async.simulator import JobPlan
from gitlab_jobs_async.telemetry import JobMetrics

pytestmark = pytest.mark.usefixtures("signed_in")


def scrape(url, accept="text/plain"):
    request = urllib.request.Request(url, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def start(spawn, *arguments):
    process = spawn(*("exporter", "--listen", "127.0.0.1:0", *arguments), stderr=subprocess.PIPE)
    line = process.stderr.readline().decode()
    assert "metrics at http://127.0.0.1:" in line, line
    return process, line.split()[-1]


def finished(text):
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "gitlab_jobs_finished_total"
    }


def jobs(url):
    """Return the metrics once a running job is among them."""
    until = time.monotonic() + 10
    while True:
        _, text = scrape(url)
        if 'status="running"}' in text or time.monotonic() > until:
            return text
        time.sleep(0.05)


def test_metrics_are_served_until_sigterm(spawn):
    process, url = start(spawn, "--group", "group")
    assert 'gitlab_jobs{project="group/app",status="running"} 1.0' in jobs(url)
    kind, text = scrape(url, "application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")
    assert scrape(url.replace("/metrics", "/-/healthy"))[1] == "ok\n"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        scrape(url.replace("/metrics", "/other"))
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 130


def test_restart_continues_with_a_checkpoint(spawn, world, tmp_path):
    # It runs on, however long the processes take to start.
    pipeline = world.add_pipeline(world.project("group/app"))
    world.add_job(pipeline, "long", plan=JobPlan(duration=1e6, queued=0.0))
    file = tmp_path / "ci.db"
    for _ in range(2):
        process, url = start(spawn, "group/app", "--checkpoint", file)
        assert 'status="running"}' in jobs(url)
        process.send_signal(signal.SIGTERM)
        process.wait(10)
    assert file.exists()
    assert (tmp_path / "ci.db.metrics").exists()


def test_second_of_a_checkpoint_is_refused(run, spawn, tmp_path):
    options = ["group/app", "--checkpoint", tmp_path / "ci.db"]
    process, _ = start(spawn, *options)
    second = run("exporter", *options, "--listen", "127.0.0.1:0")
    assert second.code == 2
    assert "ci.db.metrics: in use by another process" in second.err
    assert process.poll() is None


def test_dashboard_queries_existing_metrics(run):
    board = json.loads(run("exporter", "--print-dashboard").out)
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    named = {name for query in queries for name in re.findall(r"gitlab_\w+", query)}
    registry = CollectorRegistry()
    registry.register(JobMetrics(budget=RequestBudget(per_minute=60)))
    families = {family.name for family in registry.collect()}
    assert {re.sub("_(total|bucket)$", "", name) for name in named} <= families
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"]) == 16


def ended(number):
    ended_at = datetime.now(UTC)
    job = Job(
        id=number,
        status=JobStatus.SUCCESS,
        stage="test",
        name=f"job {number}",
        duration=5.0,
        finished_at=ended_at,
    )
    return JobFinished(key=f"job/{number}", project="group/app", job=job)


async def longest_wait(url):
    """Scrape *url*, and return the longest wait of this loop meanwhile, and the samples.

    CPU time of the process, in seconds: other processes do not count. The thread of the scrape
    does, since it holds the interpreter while the loop waits.
    """
    waits = []

    async def beat():
        before = time.process_time()
        while True:
            await asyncio.sleep(0.001)
            waits.append(time.process_time() - before)
            before = time.process_time()

    async with aiohttp.ClientSession() as session:
        beating = asyncio.create_task(beat())
        async with session.get(url) as answer:
            text = await answer.text()
        beating.cancel()
    return max(waits), text.count("\ngitlab_")


async def test_scrape_leaves_the_loop_free():
    """The monitor of the exporter lives on the loop that serves 10,000 samples here."""
    metrics, registry = JobMetrics(), CollectorRegistry()
    for number in range(700):
        metrics.observe(ended(number))
    registry.register(metrics)
    async with metrics_server(registry, "127.0.0.1", 0) as port:
        found = [await longest_wait(f"http://127.0.0.1:{port}/metrics") for _ in range(5)]
    assert {count > 10_000 for _, count in found} == {True}
    # The system may let the loop wait longer on a busy machine. Without a thread each takes 50 ms.
    assert min(wait for wait, _ in found) < 0.01


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "expected a PROJECT, --group GROUP or --projects-from FILE"),
        (["a/b", "--listen", "9464"], 2, "--listen '9464': expected HOST:PORT"),
        (["a/b", "--listen", "x:70000"], 2, "expected HOST:PORT"),
        (["a/b", "--max-series", "0"], 2, "max-series"),
        (["a/b", "--checkpoint", "postgresql://db/ci"], 2, "expected a file"),
    ],
)
def test_bad_options_are_refused(run, arguments, code, words):
    result = run("exporter", *arguments)
    assert result.code == code
    assert words in result.err


def test_port_in_use_is_an_error(run, spawn):
    _, url = start(spawn, "group/app")
    port = url.rpartition(":")[2].partition("/")[0]
    result = run("exporter", "group/app", "--listen", f"127.0.0.1:{port}")
    assert result.code == 2
    assert f"--listen 127.0.0.1:{port}: " in result.err
