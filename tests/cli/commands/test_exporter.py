"""The command `exporter`: metrics over HTTP, and counters that continue."""

import json
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from gitlab_jobs_async import RequestBudget
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
    """Return the metrics once unfinished jobs are among them."""
    until = time.monotonic() + 10
    while True:
        _, text = scrape(url)
        if "gitlab_jobs{" in text or time.monotonic() > until:
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


def test_restart_continues_with_a_checkpoint(spawn, tmp_path):
    file = tmp_path / "ci.db"
    for _ in range(2):
        process, url = start(spawn, "group/app", "--checkpoint", file)
        assert 'status="running"} 1.0' in jobs(url)
        process.send_signal(signal.SIGTERM)
        process.wait(10)
    assert file.exists()
    assert (tmp_path / "ci.db.metrics").exists()


def test_dashboard_queries_existing_metrics(run):
    board = json.loads(run("exporter", "--print-dashboard").out)
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    named = {name for query in queries for name in re.findall(r"gitlab_\w+", query)}
    registry = CollectorRegistry()
    registry.register(JobMetrics(budget=RequestBudget(per_minute=60)))
    families = {family.name for family in registry.collect()}
    assert {re.sub("_(total|bucket)$", "", name) for name in named} <= families
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"]) == 10


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "expected a PROJECT, --group GROUP or --projects-from FILE"),
        (["a/b", "--listen", "9464"], 2, "--listen '9464': expected HOST:PORT"),
        (["a/b", "--listen", "x:70000"], 2, "expected HOST:PORT"),
        (["a/b", "--max-series", "0"], 2, "max-series"),
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
    assert result.code == 1
    assert f"--listen 127.0.0.1:{port}: " in result.err
