"""Decoding of models: complete, strict about types, open to newer servers."""

import contextlib
import copy
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import (
    ArtifactEntry,
    Bridge,
    DecodeError,
    FailureReason,
    Job,
    JobStatus,
    Pipeline,
    Response,
)
from gitlab_jobs_async.api.decoding import decode, decode_job_or_bridge, decode_rows
from gitlab_jobs_async.models import AgentUser, AllowedAgents, Artifact, ArtifactsFile
from gitlab_jobs_async.models.pipelines import NO_PIPELINE, PipelineBasic
from gitlab_jobs_async.models.values import UNKNOWN_TIME
from tests.support.cpu_time import cpu_seconds
from tests.support.job_rows import JOB, USER


def answer(value):
    body = value if isinstance(value, bytes) else orjson.dumps(value)
    return Response(200, {}, body, "GET", "https://gitlab.example.com/api/v4/x")


def without(value, *names):
    return {name: held for name, held in value.items() if name not in names}


def test_every_field_of_a_job_arrives():
    job = decode(answer(JOB), Job)
    for name, held in JOB.items():
        assert (getattr(job, name) in {None, ()}) == (held in (None, [])), name
    assert (job.id, job.status, job.failure_reason) == (7, "failed", FailureReason.SCRIPT_FAILURE)
    assert job.duration == 0.173
    assert job.started_at == datetime(2015, 12, 24, 17, 54, 27, 722000, UTC)
    assert job.commit.created_at.utcoffset() == timedelta(hours=1)
    assert job.artifacts_file == ArtifactsFile(filename="artifacts.zip", size=1000)
    assert job.artifacts[1].file_type == "trace"
    assert job.tag_list == ("docker runner", "ubuntu18")
    assert (job.runner.id, job.runner_manager.system_id, job.user.username) == (3, "s", "root")
    assert job.project_id == 1
    assert hash(job) == hash(decode(answer(JOB), Job))


def test_missing_fields_are_none_or_empty():
    job = decode(answer({"id": 1, "status": "created", "stage": "test", "name": "x"}), Job)
    assert (job.user, job.commit, job.failure_reason) == (None, None, None)
    assert (job.artifacts, job.tag_list, job.project_id) == ((), (), 0)
    assert (job.ref, job.web_url, job.tag, job.allow_failure) == ("", "", False, False)
    assert (job.pipeline, job.created_at) == (NO_PIPELINE, UNKNOWN_TIME)


@pytest.mark.parametrize("name", sorted(set(JOB) - {"id", "status", "stage", "name"}))
def test_any_other_field_may_be_null_or_absent(name):
    assert decode(answer({**JOB, name: None}), Job) == decode(answer(without(JOB, name)), Job)


def test_unknown_fields_are_dropped():
    newer = {**JOB, "status": "levitating", "failure_reason": "gravity", "exit_code": 3,
             "user": {**USER, "theme": {"dark": True}}}  # fmt: skip
    job = decode(answer(newer), Job)
    assert job.status == "levitating"
    assert isinstance(job.status, JobStatus)
    assert job.failure_reason == "gravity"
    assert not job.status.is_finished
    assert not job.status.is_active


@pytest.mark.parametrize("coverage", [None, 97.5, 98, "97.5"])
def test_coverage_is_a_number_or_a_string(coverage):
    assert decode(answer({**JOB, "coverage": coverage}), Job).coverage == coverage


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("id", "7", "expected a whole number, got a string @ $.id"),
        ("id", None, "expected a whole number, got null @ $.id"),
        ("id", True, "expected a whole number, got True @ $.id"),
        ("id", 7.5, "expected a whole number, got 7.5 @ $.id"),
        ("name", None, "expected a string, got null @ $.name"),
        ("name", 5, "expected a string, got 5 @ $.name"),
        ("status", 5, "expected a string, got 5 @ $.status"),
    ],
)
def test_wrong_required_type_names_its_path(field, value, said):
    with pytest.raises(DecodeError) as refused:
        decode(answer({**JOB, field: value}), Job)
    assert refused.value.reason == said
    assert refused.value.__cause__ is refused.value.__context__ is None
    assert (refused.value.method, refused.value.url) == ("GET", answer(b"").url)


@pytest.mark.parametrize(
    ("value", "read", "said"),
    [
        ({}, decode_rows, "expected a list, got an object @ $"),
        ([JOB, without(JOB, "name")], decode_rows, "required field missing @ $[1].name (id 7)"),
        ([JOB, without(JOB, "id")], decode_rows, "required field missing @ $[1].id"),
        ([JOB, 5, JOB], decode_rows, "expected an object, got 5 @ $[1]"),
        ([], decode, "expected an object, got a list @ $"),
        (None, decode, "expected an object, got null @ $"),
        ({"message": "x"}, decode_rows, "expected a list, got an object @ $"),
    ],
)
def test_body_of_another_shape_is_an_error(value, read, said):
    with pytest.raises(DecodeError) as refused:
        read(answer(value), Job)
    assert refused.value.reason == said


def test_decoding_stops_at_the_first_wrong_row():
    with pytest.raises(DecodeError, match=r"\$\[0\]\.stage \(and 1 more\)$"):
        decode_rows(answer([{}, {}]), Job)


ODD = [
    ("tag", "false", "Job.tag: expected true or false, got a string"),
    ("duration", "1", "Job.duration: expected a number, got a string"),
    ("duration", True, "Job.duration: expected a number, got True"),
    ("duration", {}, "Job.duration: expected a number, got an object"),
    ("coverage", [1], "Job.coverage: expected a number, got a list"),
    ("created_at", "soon", "Job.created_at: expected an ISO 8601 time, got another string"),
    ("created_at", 5, "Job.created_at: expected a time, got 5"),
    ("ref", 5, "Job.ref: expected a string, got 5"),
    ("failure_reason", 5, "Job.failure_reason: expected a string, got 5"),
    ("user", [], "Job.user: expected an object, got a list"),
    ("user", {"id": 5, "name": "Ghost"}, "Job.user: required field missing @ $.username"),
    ("commit", "0ff3ae", "Job.commit: expected an object, got a string"),
    ("pipeline", {"id": 1}, "Job.pipeline: required field missing @ $.status"),
    ("runner", {"id": None}, "Job.runner: expected a whole number, got null @ $.id"),
    ("artifacts", "x", "Job.artifacts: expected a list, got a string"),
    ("artifacts", [{}], "Job.artifacts[0]: required field missing @ $.file_type"),
    ("tag_list", "abc", "Job.tag_list: expected a list, got a string"),
    ("tag_list", [None], "Job.tag_list[0]: expected a string, got null"),
]


@pytest.mark.parametrize(("field", "value", "said"), ODD)
def test_odd_optional_value_is_reported(field, value, said):
    rows = [{**JOB, "id": number} for number in range(50, 0, -1)]
    rows[20] |= {field: value}
    emitted = []
    jobs = decode_rows(answer(rows), Job, report=emitted.append)
    assert emitted == [f"GET {answer(b'').url}: id 30: {said}"]
    sane = decode_rows(answer([{**row, field: None} for row in rows]), Job)
    assert jobs[20] == sane[20]
    assert [job.id for job in jobs] == list(range(50, 0, -1))
    assert all(getattr(job, field) for job in jobs if job.id != 30 and JOB[field])
    assert decode(answer(rows[20]), Job) == jobs[20]


def test_odd_nested_value_is_ignored_alone():
    odd = {**JOB, "user": {**USER, "bio": 5}, "runner": {**JOB["runner"], "active": "yes"}}
    odd["artifacts"] = [JOB["artifacts"][0], {"size": 1}]
    emitted = []
    job = decode(answer(odd), Job, emitted.append)
    assert (job.user.username, job.user.bio, job.runner.id, job.runner.active) == (
        "root",
        None,
        3,
        False,
    )
    assert [artifact.file_type for artifact in job.artifacts] == ["archive"]
    assert len(emitted) == 1


def test_many_odd_rows_are_reported_once():
    emitted = []
    rows = [{**JOB, "id": number, "user": 5} for number in range(100)]
    assert len(decode_rows(answer(rows), Job, report=emitted.append)) == 100
    assert len(emitted) == 1
    assert emitted[0].endswith("(and 97 more rows)")


def test_row_of_odd_values_is_an_error():
    odd = {**JOB, "tag_list": list(range(101))}
    with pytest.raises(DecodeError, match="more than 100 values of unexpected types"):
        decode(answer(odd), Job)


def test_odd_downstream_pipeline_is_an_error():
    bridge = {**without(JOB, "artifacts"), "downstream_pipeline": {"id": "5"}}
    with pytest.raises(DecodeError, match=r"null|missing|expected a whole number, got a string"):
        decode(answer(bridge), Bridge)
    assert decode(answer({**bridge, "downstream_pipeline": None, "user": 5}), Bridge).user is None


def test_unselected_rows_are_not_reported():
    emitted = []
    rows = [JOB, {**JOB, "id": 8, "user": 5}]
    assert len(decode_rows(answer(rows), Job, lambda rows: rows[:1], emitted.append)) == 1
    assert emitted == []


def test_page_longer_than_requested_is_an_error():
    with pytest.raises(DecodeError, match="expected at most 100 rows, got 101"):
        decode_rows(answer([{}] * 101), Job)


def test_equal_values_of_a_page_are_one_object():
    first, second = decode_rows(answer([JOB, {**JOB, "id": 8}]), Job)
    assert first.user is second.user
    assert first.commit is second.commit
    assert first.pipeline is second.pipeline
    assert first.runner is second.runner


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from("ab"), st.sampled_from("xy"))))
def test_different_values_are_not_shared(pipelines):
    rows = [{**JOB, "pipeline": {"id": i, "status": s, "ref": r}} for i, s, r in pipelines]
    jobs = decode_rows(answer(rows), Job)
    assert [(j.pipeline.id, j.pipeline.status, j.pipeline.ref) for j in jobs] == pipelines


def test_a_time_without_a_zone_is_utc():
    job = decode(answer({**JOB, "created_at": "2026-01-02T03:04:05"}), Job)
    assert job.created_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    other = decode(answer({**JOB, "created_at": "2026-01-02T03:04:05-08:00"}), Job)
    assert other.created_at.tzinfo == timezone(timedelta(hours=-8))


def test_a_bridge_has_its_downstream_pipeline():
    base = without(JOB, "runner", "artifacts", "tag_list", "artifacts_file")
    child = {"id": 5, "sha": "f62a", "ref": "main", "status": "pending"}
    bridge = decode(answer({**base, "downstream_pipeline": child}), Bridge)
    assert bridge.downstream_pipeline == PipelineBasic(
        id=5, sha="f62a", ref="main", status=JobStatus.PENDING
    )
    assert decode(answer({**base, "downstream_pipeline": None}), Bridge).downstream_pipeline is None


def test_play_answers_with_a_job_or_a_bridge():
    assert isinstance(decode_job_or_bridge(answer(JOB)), Job)
    assert isinstance(decode_job_or_bridge(answer({**JOB, "downstream_pipeline": None})), Bridge)
    with pytest.raises(DecodeError):
        decode_job_or_bridge(answer([]))


def test_a_whole_pipeline_arrives():
    pipeline = decode(
        answer({
            "id": 46, "iid": 11, "project_id": 1, "name": "Build", "status": "success",
            "ref": "main", "sha": "a91957", "before_sha": "a91957", "tag": False,
            "yaml_errors": None, "user": USER, "created_at": "2016-08-11T11:28:34.085Z",
            "updated_at": "2016-08-11T11:32:35.169Z", "started_at": None, "finished_at": None,
            "committed_at": None, "duration": 123, "queued_duration": 1, "coverage": "30.0",
            "web_url": "https://example.com/46", "source": "push",
            "detailed_status": {"icon": "status_success", "text": "passed", "label": "passed",
                                "group": "success", "tooltip": "passed", "has_details": True,
                                "details_path": "/x", "illustration": None, "favicon": "/y"},
        }),
        Pipeline,
    )  # fmt: skip
    assert (pipeline.duration, pipeline.coverage) == (123.0, "30.0")
    assert isinstance(pipeline.duration, float)
    assert pipeline.detailed_status.text == "passed"


def test_allowed_agents_arrive():
    agents = decode(
        answer({
            "allowed_agents": [{"id": 1, "config_project": {
                "id": 1, "description": None, "name": "p", "name_with_namespace": "n / p",
                "path": "p", "path_with_namespace": "n/p", "created_at": "2022-11-16T14:51:50Z"}}],
            "job": {"id": 1}, "pipeline": {"id": 2}, "project": {"id": 1, "groups": [{"id": 3}]},
            "user": {"id": 2, "username": "user2", "roles_in_project": ["guest", "developer"]},
            "environment": {"slug": "prod", "tier": "production"},
        }),
        AllowedAgents,
    )  # fmt: skip
    assert agents.user == AgentUser(id=2, username="user2", roles_in_project=("guest", "developer"))
    assert agents.allowed_agents[0].config_project.path_with_namespace == "n/p"
    assert (agents.job.id, agents.pipeline.id, agents.project.groups[0].id) == (1, 2, 3)
    assert agents.environment.tier == "production"


def test_agent_user_of_older_servers_has_no_roles():
    ids = {"job": {"id": 1}, "pipeline": {"id": 2}, "project": {"id": 1}}
    agents = decode(answer(ids | {"allowed_agents": [], "user": USER}), AllowedAgents)
    assert (agents.user.id, agents.user.roles_in_project) == (USER["id"], ())


def test_an_archive_lists_files_and_directories():
    entries = decode_rows(
        answer([{"name": "a", "path": "a/", "type": "directory", "mode": "040755"},
                {"name": "b", "path": "a/b", "type": "file", "size": 3, "mode": "100644"}]),
        ArtifactEntry,
    )  # fmt: skip
    assert [(e.type, e.size) for e in entries] == [("directory", None), ("file", 3)]


def test_statuses_are_finished_active_or_neither():
    finished = {s for s in JobStatus if s.is_finished}
    active = {s for s in JobStatus if s.is_active}
    assert len(JobStatus) == 13
    assert finished == {"success", "failed", "canceled", "skipped"}
    assert active == {
        "waiting_for_resource", "preparing", "waiting_for_callback", "pending", "running"
    }  # fmt: skip


def test_unlisted_status_equals_its_string():
    status = JobStatus("levitating")
    assert copy.deepcopy(status) == status == "levitating"
    assert {status: 1}["levitating"] == 1
    assert f"{status}" == "levitating"
    with pytest.raises(ValueError, match="7 is not a valid JobStatus"):
        JobStatus(7)


def test_models_are_frozen():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        decode(answer(JOB), Job).id = 8
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Artifact(file_type="x").size = 1


MIB = 1024 * 1024
ROW = b'{"id":1,"status":"success","stage":"a","name":"b"'


def filled(unit, head=b"[", tail=b"]"):
    return head + (unit * ((4 * MIB - len(head) - len(tail)) // len(unit))).rstrip(b",") + tail


ADVERSE = {
    "lists": filled(b"[],"),
    "objects": filled(b'{"a":1},'),
    "wrong rows": filled(b'{"id":1},'),
    "numbers": filled(b"1,"),
    "strings": filled(b'"ab",'),
    "long number": filled(b"9"),
    "beyond floats": filled(b"1e400,"),
    "deep": b"[" * 2 * MIB + b"]" * 2 * MIB,
    "deep objects": filled(b'{"a":' * 1000 + b"1" + b"}" * 1000 + b","),
    "one key again": filled(b'"a":1,', b"[{", b"}]"),
    "no UTF-8": filled(b'"\xff",'),
    "NUL": filled(b'"\x00",'),
    "surrogates": filled(b'"\\ud800",'),
    "odd tags": filled(b"1,", b"[" + ROW + b',"tag_list":[', b"]}]"),
    "odd artifacts": filled(b'{"a":"%s"},' % (b"x" * 40), b"[" + ROW + b',"artifacts":[', b"]}]"),
    "many odd rows": b"["
    + b",".join([ROW + b',"tag_list":[' + b"1," * 18000 + b"1]}"] * 100)
    + b"]",
}


@pytest.mark.parametrize("name", ADVERSE)
def test_adverse_page_is_a_typed_error_in_time(name):
    def read():
        with contextlib.suppress(DecodeError):
            decode_rows(answer(ADVERSE[name]), Job)

    # 80 to 140 ms at most where nothing else runs; the bound is for a busy machine.
    assert cpu_seconds(read) < 0.5


@pytest.mark.parametrize("name", ["lists", "objects", "wrong rows", "deep", "deep objects"])
def test_body_of_too_many_values_is_not_parsed(name):
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError, match=r"expected at most .* lists and objects"):
            decode_rows(answer(ADVERSE[name]), Job)
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()


def test_large_page_of_real_jobs_is_taken():
    rows = [{**JOB, "id": number, "user": {**USER, "bio": "x" * 30_000}} for number in range(100)]
    assert len(decode_rows(answer(rows), Job)) == 100
