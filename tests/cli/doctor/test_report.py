"""A report shows no text of a server except in known forms."""

import io

import orjson
import pytest
from rich.console import Console

from gitlab_jobs_async.cli.doctor.checks import checks_of
from gitlab_jobs_async.cli.doctor.findings import Findings, Problem, Reply
from gitlab_jobs_async.cli.doctor.report import as_json, as_table, names_of, plain_rows

SECRET = "acme-glpat-1"


def good(value=None, headers=None):
    return Reply(200, headers or {}, value, problem=Problem.NONE)


def talkative(text=SECRET):
    """Answers that have *text* wherever a server may write one."""
    row = {"id": 3, "name": text, "status": text, "path_with_namespace": text, "web_url": text}
    headers = {
        "ratelimit-limit": text, "ratelimit-name": f"throttle_{text}", "link": text,
        "x-next-cursor": text, "etag": text,
    }  # fmt: skip
    names = (
        "version", "metadata", "token", "user", "projects", "jobs", "last", "below", "offset",
        "trace", "trace again", "job", "job again", "reading",
    )  # fmt: skip
    fields = {
        "version": text, "enterprise": text, "username": text,
        "scopes": [text, "api", text.upper()],
    }  # fmt: skip
    lists = {"projects", "jobs", "last", "below", "offset"}
    replies = {
        name: good([row, row | {"id": 2}] if name in lists else fields, headers) for name in names
    }
    pipeline = {"id": text, "status": text, "updatedAt": text}
    answer = {
        "queryComplexity": {"score": text, "limit": text},
        "projects": {"nodes": [{"id": text, "pipelines": {"nodes": [pipeline]}}]},
    }
    return Findings(
        replies=replies,
        questions={size: good(answer) for size in (1, 10, 50)},
        project=3,
        project_ids=[3, 2],
        job_status=text,
        requests=20,
    )


def shown(findings, names):
    checks = checks_of(findings)
    out = io.StringIO()
    Console(file=out, width=100).print(as_table(findings, checks, names))
    rows = "\n".join("\t".join(row) for row in plain_rows(checks, names))
    return [out.getvalue(), rows, orjson.dumps(as_json(findings, checks, names)).decode()]


@pytest.mark.parametrize("text", [SECRET, "Acme Corp", "<script>", "1.2.3.4.example.com"])
def test_text_of_a_server_is_never_shown(text):
    for form in shown(talkative(text), {}):
        assert text not in form
        assert text.upper() not in form


def test_names_are_shown_on_request():
    findings = talkative("acme")
    findings.named_group = "shop"
    names = names_of(findings, "https://git.example")
    assert names == {
        "server": "https://git.example", "user": "acme", "project": "acme", "group": "shop",
    }  # fmt: skip
    for form in shown(findings, names):
        for name in names.values():
            assert name in form


def test_names_hold_no_control_characters():
    findings = talkative("\x1b[31mred")
    table, *_ = shown(findings, names_of(findings, "https://git.example"))
    assert "user: red" in table
    assert "\x1b" not in table


def test_unknown_version_is_said():
    table, _, json = shown(Findings(), {})
    assert table.startswith("GitLab of unknown version, 0 requests")
    assert orjson.loads(json)["version"] is None
    assert "names" not in orjson.loads(json)
