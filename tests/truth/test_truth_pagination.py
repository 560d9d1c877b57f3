"""Answers of GitLab's own pagination code, replayed against the simulator (see README.md)."""

from pathlib import Path
from urllib.parse import parse_qsl

import orjson
import pytest

from gitlab_jobs_async.simulator import SimulatorSettings, World
from gitlab_jobs_async.simulator.api.application import Application
from gitlab_jobs_async.simulator.api.calls import Request
from gitlab_jobs_async.simulator.bulk import add_finished_jobs

TRUTH = orjson.loads(Path(__file__).with_name("pagination.json").read_bytes())
SETTINGS = SimulatorSettings(external_url="https://gitlab.example.com", offset_limit=50_000)
PAGE_HEADERS = ("X-Per-Page", "X-Page", "X-Next-Page", "X-Prev-Page", "X-Total", "X-Total-Pages")
CURSOR_HEADERS = ("X-NEXT-CURSOR", "X-PREV-CURSOR", "Link")
OLDEST_1000 = 1_004_436
"""The last of the newest thousand, as the cursor of that page names it."""

DIFFERENCES = {
    "include_retried": "the truth's route does not declare it; lib/api/ci/pipelines.rb does, with "
    "the default false, and Link carries all parameters",
    "pipeline 0": "the truth's route filters by any pipeline; lib/api/ci/pipelines.rb finds it "
    "first, and answers 404",
}
"""What the simulator does otherwise, and why."""


def known_ids():
    """Ids of rows that the answers name."""
    pages = [set(row["ids"]) for row in TRUTH if isinstance(row["ids"], list)]
    return set.union(*pages)


def all_ids():
    """2,500 ids with the known ones in their places; the answers do not name the others."""
    known = known_ids()
    newest = {number for number in known if number > OLDEST_1000}
    oldest = known - newest - {OLDEST_1000}
    above = range(OLDEST_1000 + 1, min(newest))
    below = range(max(oldest) + 1, OLDEST_1000)
    filled = [*above[: 999 - len(newest)], *below[: 1500 - len(oldest)]]
    return sorted([*known, OLDEST_1000, *filled])


@pytest.fixture(scope="module")
def application():
    world = World()
    project = world.add_project("made/up", project_id=1)
    add_finished_jobs(
        world.registry,
        project,
        iter(all_ids()),
        per_pipeline=2500,
        user=world.root,
        rng=world.random,
    )
    # Of the newest hundred, the answers name two that failed; so does every third of the others.
    named = {1_007_436, 1_007_394}
    for index, job in enumerate(project.builds):
        failed = job.id in named if index >= 2400 else index % 3 == 0
        job.status = "failed" if failed else "success"
    return Application(world, SETTINGS, "http://127.0.0.1", "http://storage")


def asked(application, path, query):
    request = Request(
        "GET",
        f"/api/v4{path}",
        tuple(parse_qsl(query, keep_blank_values=True)),
        {"private-token": "glpat-root"},
    )
    return application.answer(request, application.world.now)


def test_truth_has_2500_rows(application):
    builds = application.world.projects[0].builds
    assert len(builds) == 2500
    assert (builds[0].id, builds[-1].id) == (1_000_005, 1_007_454)
    assert builds[-1000].id == OLDEST_1000


@pytest.mark.parametrize("truth", TRUTH, ids=[f"{row['path']}?{row['query']}" for row in TRUTH])
def test_answers_as_gitlab_does(application, truth):
    answer = asked(application, truth["path"], truth["query"])
    body = orjson.loads(answer.body.content)
    if truth["path"] == "/projects/1/pipelines/0/jobs":
        assert DIFFERENCES["pipeline 0"]
        assert (answer.status, body) == (404, {"message": "404 Not found"})
        return
    assert answer.status == truth["status"]
    headers = {name: answer.header(name) for name in (*PAGE_HEADERS, *CURSOR_HEADERS)}
    found = {name: value for name, value in headers.items() if value is not None}
    if "/pipelines/" in truth["path"]:
        assert DIFFERENCES["include_retried"]
        found["Link"] = found["Link"].replace("&include_retried=false", "")
    assert found == truth["headers"]
    if truth["ids"] is None:
        assert body == truth["body"]
    elif isinstance(truth["ids"], int):
        assert len(body) == truth["ids"]
    else:
        assert [row["id"] for row in body] == truth["ids"]


def test_empty_pipeline_has_one_page(application):
    """The truth's last answer, with a pipeline that is there and has no jobs."""
    world, truth = application.world, TRUTH[-1]
    number = world.add_pipeline(world.projects[0]).id
    answer = asked(application, f"/projects/1/pipelines/{number}/jobs", "")
    expected = {
        name: value.replace("pipelines/0", f"pipelines/{number}")
        .replace("pipeline_id=0", f"pipeline_id={number}")
        .replace("&page=", "&include_retried=false&page=")
        for name, value in truth["headers"].items()
    }
    assert {name: answer.header(name) for name in expected} == expected
    assert (answer.status, answer.body.content) == (200, b"[]")
