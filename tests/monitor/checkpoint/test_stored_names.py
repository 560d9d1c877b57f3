"""Names in stored states: a checkpoint of an earlier version is read in full, never in part."""

import json

import pytest

from gitlab_jobs_async.monitor.checkpoint.progress import ProgressRow
from gitlab_jobs_async.monitor.checkpoint.serialization import dumps, loads
from gitlab_jobs_async.monitor.watch.base import TargetState
from gitlab_jobs_async.monitor.watch.id_history import IdState
from gitlab_jobs_async.monitor.watch.project_state import ProjectState

AT = "2025-06-01T00:00:00+00:00"
JOB = {
    "id": 1,
    "status": "running",
    "name": "unit",
    "pipeline_id": 5,
    "since": 7.5,
    "events": 2,
    "is_erased": True,
    "is_bridge": True,
    "times": 3,
}
PROJECT = {
    "number": 7,
    "floor": 50,
    "began": 40,
    "jobs": [JOB],
    "unreachable_told": 1,
    "is_unreachable": True,
    "updated_to": AT,
    "reviving": [8],
    "reviving_once": [9],
    "parked": [10],
    "bridging": {"touched": [5], "live": [[6, 1.5]], "heard": [[7, AT, True]]},
    "epoch": 11,
    "before": [JOB],
    "news_from": 12,
    "created_to": 13,
    "top": 14,
    "forgotten_to": 15,
    "deleted_to": 16,
}
TARGET = {
    "jobs": [JOB],
    "unreachable_told": 1,
    "is_unreachable": True,
    "is_over": True,
    "is_known": False,
    "epoch": 2,
    "before": [JOB],
    "created": 3,
}
IDS = {"steps": [{"range": 1, "ids": [2], "created": [3], "closed_at": 4}]}
PROGRESS = {
    "looked_at": 1.5,
    "interval": 2.5,
    "active_at": 3.5,
    "failures": 1,
    "floor": 2,
    "rows": 3,
    "swept_at": 4.5,
    "updated_to": AT,
    "compared_at": 5.5,
    "scans": 6,
    "epoch": 7,
}
ROW = {"targets": {"group/app": PROGRESS}}


@pytest.mark.parametrize(
    ("kind", "stored"),
    [(ProjectState, PROJECT), (TargetState, TARGET), (IdState, IDS), (ProgressRow, ROW)],
    ids=["project", "target", "ids", "progress"],
)
def test_stored_names_are_those_of_version_2(kind, stored):
    data = json.dumps(stored).encode()
    assert json.loads(dumps(loads(data, kind))) == stored
