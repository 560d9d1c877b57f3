"""A model field is None exactly where GitLab's own entities send null, or no such field."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import NoneType
from typing import Any, get_args

import attrs
import orjson
import pytest

from gitlab_jobs_async import Bridge, Job, Pipeline, models
from gitlab_jobs_async.models.pipelines import NO_DETAILS, NO_PIPELINE
from gitlab_jobs_async.models.values import UNKNOWN_TIME
from tests.api.test_decoding import answer, decode

TRUTH = orjson.loads(Path(__file__).with_name("entities.json").read_bytes())
ROWS = {"jobs": Job, "bridges": Bridge, "pipelines": Pipeline}

MAY_BE_NULL = {
    "JobBasic.failure_reason": "sent for failed jobs only",
    "JobBasic.project": "newer than 15.0",
    "JobBasic.source": "documented, not in the entity",
    "Job.artifacts_file": "sent for jobs with an archive only",
    "Job.archived": "newer than 15.0",
    "Job.download_url": "in the answers of the artifacts API",
    "PipelineBasic.name": "sent in lists and for one pipeline",
    "Pipeline.archived": "newer than the entity",
    "DetailedStatus.details_path": "null without a page",
    "User.locked": "newer than 15.0",
    "User.avatar_url": "null without a picture, if Gravatar is off",
    "User.created_at": "sent to those who may read the profile, as the next two",
    "User.followers": "as created_at",
    "User.following": "as created_at",
    "User.bio": "free texts may be null, and a pipeline's user has none",
    "User.linkedin": "as bio",
    "User.twitter": "as bio",
    "User.discord": "newer than 15.0",
    "User.github": "newer than 15.0",
    "User.skype": "older than 17.0",
    "User.website_url": "as bio",
    "User.organization": "as bio",
    "User.job_title": "as bio",
    "User.bot": "a pipeline's user has none",
    "User.local_time": "as bot",
    "Runner.description": "a runner may be registered without one",
    "Runner.online": "null for a runner that never contacted GitLab",
    "Runner.created_at": "newer than 15.0",
    "Runner.job_execution_status": "newer than 15.0",
    "RunnerManager.version": "null before its first contact, as the next five",
    "RunnerManager.revision": "as version",
    "RunnerManager.platform": "as version",
    "RunnerManager.architecture": "as version",
    "RunnerManager.contacted_at": "as version",
    "RunnerManager.ip_address": "as version",
    "RunnerManager.job_execution_status": "newer than its entity",
}
"""Optional fields that no row of the truth has null, and the reasons."""


def values_of(kind: type, row: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields of the models in *row* with their JSON values."""
    for field in attrs.fields(kind):
        owner = next(base for base in reversed(kind.__mro__) if field.name in annotations(base))
        name = f"{owner.__name__}.{field.name}"
        inner = next((arg for arg in (field.type, *get_args(field.type)) if attrs.has(arg)), None)
        value = row.get(field.name)
        if field.name in row:
            yield name, value
        for one in value if isinstance(value, list) else [value]:
            if inner is not None and one is not None:
                yield from values_of(inner, one)


def annotations(base: type) -> dict[str, Any]:
    return vars(base).get("__annotations__", {})


SENT: dict[str, set[bool]] = {}
for _rows, _kind in ROWS.items():
    for _row in TRUTH[_rows].values():
        for _name, _value in values_of(_kind, _row):
            SENT.setdefault(_name, set()).add(_value is None)

MODELS = [
    *(models.JobBasic, models.Job, models.Bridge, models.PipelineBasic, models.Pipeline),
    models.DetailedStatus,
    *(models.User, models.Commit, models.Runner, models.RunnerManager, models.JobProject),
    *(models.ArtifactsFile, models.Artifact),
]
FIELDS = {
    f"{kind.__name__}.{name}": attrs.fields_dict(kind)[name]
    for kind in MODELS
    for name in annotations(kind)
}


@pytest.mark.parametrize("name", FIELDS)
def test_field_is_optional_if_it_may_be_null(name):
    is_optional = NoneType in get_args(FIELDS[name].type)
    is_null = True in SENT.get(name, ())
    assert is_optional == (is_null or name in MAY_BE_NULL)


def test_every_exception_is_needed():
    assert MAY_BE_NULL.keys() <= FIELDS.keys()
    assert {name for name in MAY_BE_NULL if True in SENT.get(name, ())} == set()


def test_field_without_null_is_empty_by_default():
    empty = {str: "", int: 0, bool: False, datetime: UNKNOWN_TIME}
    empty |= {models.PipelineBasic: NO_PIPELINE, models.DetailedStatus: NO_DETAILS}
    for name, field in FIELDS.items():
        if NoneType not in get_args(field.type) and field.default is not attrs.NOTHING:
            assert field.default == empty.get(field.type, ()), name


@pytest.mark.parametrize("rows", ROWS)
def test_null_of_any_field_never_costs_the_row(rows):
    kind = ROWS[rows]
    needed = {"id", "status", "stage", "name"} & {field.name for field in attrs.fields(kind)}
    for row in TRUTH[rows].values():
        sparse = {name: row[name] if name in needed else None for name in row}
        assert decode(answer(sparse), kind).id == row["id"]
