"""Whole answers of GitLab's, to be changed: rows of a page, and deliveries of a hook."""

TIME = "2025-06-15T15:00:00.000Z"
USER = {"id": 1, "username": "root", "name": "A", "created_at": TIME, "bot": False, "bio": None}
PIPELINE = {"id": 9, "project_id": 1, "status": "running", "ref": "main", "created_at": TIME}


def job(number=1, **more):
    return {
        "id": number, "name": "build", "stage": "test", "status": "success", "tag": False,
        "coverage": 1.5, "created_at": TIME, "duration": 3.5, "user": USER, "pipeline": PIPELINE,
        "commit": {"id": "c0ffee", "created_at": TIME, "parent_ids": ["a", "b"]},
        "artifacts": [{"file_type": "trace", "size": 3}], "tag_list": ["linux"],
        "runner": {"id": 3, "active": True}, "runner_manager": {"id": 4, "contacted_at": TIME},
        "failure_reason": None, "project": {"ci_job_token_scope_enabled": False},
    } | more  # fmt: skip


def bridge(number=1):
    return job(number, downstream_pipeline=PIPELINE | {"id": 10})


JOB_HOOK = {
    "object_kind": "build", "build_id": 1, "pipeline_id": 2, "project_id": 3, "build_name": "b",
    "build_stage": "s", "build_status": "failed", "sha": "c0ffee", "tag": False, "user": USER,
    "build_created_at": "2021-02-23 02:41:37 UTC", "build_duration": 1.5,
    "runner": {"id": 4, "description": "r", "tags": ["linux"]},
    "environment": {"name": "prod", "action": "start"}, "commit": {"name": "n", "message": "m"},
    "source_pipeline": {"pipeline_id": 30, "job_id": 3401, "project": {"id": 5}},
}  # fmt: skip
PIPELINE_HOOK = {
    "object_kind": "pipeline", "user": USER, "project": {"id": 3, "name": "p"},
    "object_attributes": {"id": 2, "iid": 1, "ref": "main", "status": "success", "stages": ["a"],
                          "variables": [{"key": "a", "value": "b"}], "duration": 3},
    "merge_request": {"id": 1, "iid": 2, "title": "t"},
    "builds": [{"id": 1, "stage": "s", "name": "n", "status": "failed", "when": "manual",
                "manual": True, "user": USER, "runner": None,
                "artifacts_file": {"filename": None, "size": None}, "environment": None}],
}  # fmt: skip
LOG = (
    b"section_start:1767348000:step_script[collapsed=true]\r\x1b[0K\x1b[0KRunning\r\n"
    b"\x1b[32;1m$ make\x1b[0;m\n50%\r100%\n"
    b"2026-01-02T10:00:01.000000Z 01O one\r\n2026-01-02T10:00:01.500000Z 01O+two\n"
    b"2026-01-02T10:00:02.000000Z 00E err\n"
    b"section_end:1767348005:step_script\r\x1b[0K\nJob succeeded\n"
)
