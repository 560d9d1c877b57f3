"""A field of a hook is None only where GitLab's data builders send null, or no such field.

Follows lib/gitlab/data_builder/build.rb and pipeline.rb.
"""

from types import NoneType
from typing import get_args

import attrs
import pytest

from gitlab_jobs_async import models
from tests.models.test_jobs import MODELS

HOOKS = [kind for kind in MODELS if kind.__module__.endswith((".webhooks", ".hook_parts"))]

MAY_BE_NONE = {
    "null until it happens": {
        "HookJob": {"started_at", "finished_at", "duration", "queued_duration", "runner"},
        "PipelineHook": {"finished_at", "duration", "queued_duration"},
        "JobHookCommit": {"duration", "started_at", "finished_at"},
        "HookEnvironment": {"deployment_tier"},
    },
    "null without it": {
        "HookJob": {"environment", "failure_reason", "user"},
        "HookBuild": {"artifacts_file"},
        "HookUser": {"avatar_url"},
        "HookRunner": {"description"},
        "JobHook": {"source_pipeline"},
        "JobHookCommit": {"name", "message", "author_name", "author_email"},
        "PipelineHook": {"name", "ref", "merge_request", "user", "commit", "source_pipeline"},
        "HookProject": {"description", "avatar_url", "default_branch", "ci_config_path"},
        "HookMergeRequest": {"source_project_id"},
    },
    "of other projects than an upstream one": {
        "HookProject": {"name", "git_ssh_url", "git_http_url", "namespace", "visibility_level"},
    },
    "newer than 15.0": {
        "HookBuild": {"bridge"},
        "JobHook": {"project", "retries_count", "delivery"},
        "PipelineHook": {"protected_ref", "url", "root_pipeline_id", "delivery"},
        "SourcePipeline": {"bridge_id"},
        "HookMergeRequest": {"detailed_merge_status"},
    },
    "null if a bridge created it": {"SourcePipeline": {"job_id"}},
}


def optional_fields(kind):
    own = vars(kind).get("__annotations__", {})
    return {
        field.name
        for field in attrs.fields(kind)
        if field.name in own and NoneType in get_args(field.type)
    }


@pytest.mark.parametrize("kind", HOOKS, ids=lambda kind: kind.__name__)
def test_optional_fields_have_a_reason(kind):
    reasons = [names.get(kind.__name__, set()) for names in MAY_BE_NONE.values()]
    assert optional_fields(kind) == set().union(*reasons)


def test_every_model_of_hooks_is_covered():
    assert {models.JobHook, models.PipelineHook, models.SourcePipeline} <= set(HOOKS)
    assert len(HOOKS) == 14
