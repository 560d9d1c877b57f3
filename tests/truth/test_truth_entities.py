"""Rows as GitLab's own entities write them: built with the simulator, decoded by the SDK."""

import re
from datetime import UTC, datetime
from pathlib import Path

import attrs
import orjson
import pytest

from gitlab_jobs_async import Bridge, Job, Pipeline, Response
from gitlab_jobs_async.api.decoding import decode, decode_job_or_bridge
from gitlab_jobs_async.simulator import JobPlan, PipelinePlan, SimulatorSettings, World
from gitlab_jobs_async.simulator.api.entities import View

TRUTH = orjson.loads(Path(__file__).with_name("entities.json").read_bytes())
CASES = [(kind, name) for kind, rows in TRUTH.items() for name in rows]
NOW = datetime(2026, 5, 1, 15, 38, tzinfo=UTC).timestamp()
MODELS = {"jobs": Job, "bridges": Bridge, "pipelines": Pipeline}

FORMS = {
    "time in UTC": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
    "time with an offset": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d",
    "time of day": r"1?\d:\d\d [AP]M",
    "sha": r"[0-9a-f]{40}",
    "short sha": r"[0-9a-f]{8}",
    "URL": r"https://\S+",
    "path": r"/\S+",
    "percentage": r"\d+\.\d\d",
    "empty": r"",
    "text": r"(?s).+",
}

DIFFERENCES = {
    "commit.trailers": "a map of the commit message's own; the simulator's messages have none",
    "commit.extended_trailers": "as trailers",
}
"""Where the simulator's rows differ in form, and why."""

OTHERWISE = {
    ("pipelines", "yaml", "queued_duration"): "the truth's row waited 5 s and never started; "
    "Ci::Pipeline#queued_duration is null then",
}
"""Fields of single rows that no pipeline of GitLab's has like that."""

NOT_KEPT = {
    "commit.trailers": "free text of a commit message, which is kept as a whole",
    "commit.extended_trailers": "as trailers",
    "detailed_status.illustration": "a picture of GitLab's own pages, null for pipelines",
}
"""What GitLab sends and the SDK's models leave out, and why."""


def form(value, path, skipped):
    """Types, null-ness and format of a value, with all that it holds."""
    if path in skipped:
        return "..."
    if isinstance(value, dict):
        return {
            name: form(held, f"{path}.{name}".strip("."), skipped) for name, held in value.items()
        }
    if isinstance(value, list):
        return [form(held, f"{path}[]", skipped) for held in value]
    if isinstance(value, str):
        return next(name for name, pattern in FORMS.items() if re.fullmatch(pattern, value))
    return type(value).__name__


def at(text):
    return None if text is None else datetime.fromisoformat(text).timestamp()


class Made:
    """The truth's project with one pipeline, and a job or bridge in the state of a row."""

    def __init__(self):
        world = World(at("2023-01-01T00:00:00Z"))
        self.mia = world.add_user("mia")
        project = world.add_project("made/up", project_id=11)
        self.pipeline = world.add_pipeline(project, user=self.mia, pipeline_id=70)
        self.pipeline.iid, self.pipeline.status = 7, "running"
        self.pipeline.title = "T"
        self.world = world
        self.view = View("https://gitlab.example.com", NOW, SimulatorSettings(), frozenset({1}))

    def job(self, row, *, bridge=False):
        """A job as *row* has it, set by hand: some states come by no plan."""
        add = self.world.registry.new_job
        files = {file["file_type"]: file["size"] for file in row.get("artifacts", ())}
        size = files.get("trace", 0)
        job = add(
            self.pipeline,
            name=row["name"],
            stage=row["stage"],
            plan=JobPlan(coverage=row["coverage"], tags=row.get("tag_list", ()), log=b"x" * size),
            at=at(row["created_at"]),
            user=self.mia if row["user"] else None,
            downstream=PipelinePlan() if bridge else None,
            job_id=row["id"],
        )
        job.status, job.allow_failure = row["status"], row["allow_failure"]
        job.started_at, job.finished_at = at(row["started_at"]), at(row["finished_at"])
        job.erased_at = at(row["erased_at"])
        job.failure_reason = row.get("failure_reason")
        self.pipeline.ref, self.pipeline.tag = row["ref"], row["tag"]
        self.pipeline.has_commit = row["commit"] is not None
        waited, begun = row["queued_duration"], job.started_at or NOW
        job.queued_at = None if waited is None else begun - waited
        ran = row["duration"]
        if ran is not None and job.finished_at is None:
            self.view = attrs.evolve(self.view, now=job.started_at + ran)
        if row.get("runner"):
            job.runner = self.world.registry.runners[0]
        if "artifacts_file" in row:
            job.artifacts = {"a.txt": b"a"}
            job.artifacts_expire_at = at(row["artifacts_expire_at"])
        return job

    def bridge(self, row):
        job = self.job(row, bridge=True)
        if row["downstream_pipeline"]:
            job.downstream_pipeline = self.world.add_pipeline(
                self.world.add_project("made/below", project_id=12), source="parent_pipeline"
            )
        return job


def build_pipeline(row):
    made = Made()
    pipeline = made.pipeline
    pipeline.status, pipeline.yaml_errors = row["status"], row["yaml_errors"]
    pipeline.ref, pipeline.user = row["ref"], made.mia if row["user"] else None
    pipeline.created_at = at(row["created_at"])
    pipeline.started_at, pipeline.finished_at = at(row["started_at"]), at(row["finished_at"])
    if row["queued_duration"] is None and pipeline.started_at:  # no whole second
        pipeline.created_at = pipeline.started_at
    if row["coverage"]:
        made.world.registry.new_job(
            pipeline,
            name="unit",
            stage="test",
            plan=JobPlan(coverage=float(row["coverage"])),
            at=pipeline.created_at,
            user=None,
        ).status = "success"
    return made.view.pipeline(pipeline)


def build(kind, name):
    row = TRUTH[kind][name]
    if kind == "pipelines":
        return build_pipeline(row)
    made = Made()
    if kind == "bridges":
        job = made.bridge(row)
        return made.view.bridge(job)
    job = made.job(row, bridge=name == "bridge_as_job")
    return made.view.job(job)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_rows_have_gitlabs_fields_and_forms(kind, name):
    truth, made = TRUTH[kind][name], orjson.loads(orjson.dumps(build(kind, name)))
    skipped = DIFFERENCES.keys() | {path for *row, path in OTHERWISE if row == [kind, name]}
    assert form(made, "", skipped) == form(truth, "", skipped)


OWN = [
    "id", "status", "stage", "name", "ref", "tag", "coverage", "allow_failure", "created_at",
    "started_at", "finished_at", "erased_at", "failure_reason", "web_url", "archived", "tag_list",
]  # fmt: skip


@pytest.mark.parametrize("name", TRUTH["jobs"])
def test_values_are_written_as_gitlab_writes_them(name):
    truth, made = TRUTH["jobs"][name], build("jobs", name)
    assert {key: made.get(key) for key in OWN} == {key: truth.get(key) for key in OWN}
    for key in ("duration", "queued_duration"):
        assert made[key] == (truth[key] if truth[key] is None else pytest.approx(truth[key]))


def answer(value):
    body = orjson.dumps(value)
    return Response(200, {}, body, "GET", "https://gitlab.example.com/api/v4/x")


def compare(given, kept, path, lost):
    """Whether *kept* is all of *given*; what a model does not have goes to *lost*."""
    if isinstance(given, dict) and attrs.has(type(kept)):
        for name, value in given.items():
            inner = f"{path}.{name}".strip(".")
            if hasattr(kept, name):
                compare(value, getattr(kept, name), inner, lost)
            else:
                lost.add(inner)
    elif isinstance(given, list):
        assert len(given) == len(kept), path
        for one, other in zip(given, kept, strict=True):
            compare(one, other, f"{path}[]", lost)
    elif isinstance(kept, datetime):
        assert kept == datetime.fromisoformat(given), path
        assert kept.utcoffset() == datetime.fromisoformat(given).utcoffset(), path
    else:
        assert kept == given, path
        assert isinstance(kept, str) == isinstance(given, str), path


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_models_keep_every_field(kind, name):
    given, lost = TRUTH[kind][name], set()
    compare(given, decode(answer(given), MODELS[kind]), "", lost)
    assert {path.removeprefix("downstream_pipeline.") for path in lost} <= NOT_KEPT.keys()


def test_list_of_dropped_fields_is_exact():
    lost = set()
    for kind, name in CASES:
        compare(TRUTH[kind][name], decode(answer(TRUTH[kind][name]), MODELS[kind]), "", lost)
    assert lost == NOT_KEPT.keys()


@pytest.mark.parametrize("name", TRUTH["jobs"])
def test_play_distinguishes_jobs_from_bridges(name):
    assert isinstance(decode_job_or_bridge(answer(TRUTH["jobs"][name])), Job)
    for bridge in TRUTH["bridges"].values():
        assert isinstance(decode_job_or_bridge(answer(bridge)), Bridge)


def fields_sent(kind: str) -> set[str]:
    return set().union(*(row.keys() for row in TRUTH[kind].values()))


ONLY_ELSEWHERE = {
    "jobs": {
        "source": "in the documentation of 18.x, not in the entity",
        "download_url": "in the answers to runners and of the artifacts API",
        "is_partial": "of the SDK: a job that a monitor got by GraphQL",
    },
    "bridges": {"source": "as for jobs", "failure_reason": "only of a failed one"},
    "pipelines": {
        "name": "of a pipeline with its metadata: lists, single pipelines, the latest",
        "archived": "newer than the entity",
    },
}


@pytest.mark.parametrize("kind", MODELS)
def test_every_model_field_is_sent(kind):
    known = {field.name for field in attrs.fields(MODELS[kind])}
    assert known - fields_sent(kind) == ONLY_ELSEWHERE[kind].keys()
