"""Failure reasons of GitLab 19, and the older ones that it has split."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import FailureReason, JobStatus

# failure_reason_aliases in app/models/concerns/enums/ci/commit_status.rb
SPLIT = {
    "stuck_or_timeout_failure": {
        "stuck_pending_with_matching_runners",
        "stuck_pending_no_matching_runners",
        "no_updates_running",
        "no_updates_canceling",
    },
    "job_execution_timeout": {"server_timeout_running", "server_timeout_canceling"},
}
NEW = {
    *SPLIT["stuck_or_timeout_failure"],
    *SPLIT["job_execution_timeout"],
    "runner_configuration_error",
    "runner_external_dependency_failure",
    "runner_interrupted",
    "id_token_burned_project_path",
    "downstream_project_trigger_resolved_to_empty",
}
REASONS = sorted(reason.value for reason in FailureReason)


def test_reasons_of_gitlab_19_are_listed():
    assert set(REASONS) >= NEW
    assert len(REASONS) == 52


@given(st.text(st.characters(exclude_categories=())))
def test_repr_has_no_control_characters(word):
    """A server's word could forge a line of a log, or clear a terminal."""
    for kind in (JobStatus, FailureReason):
        assert repr(kind(word)).isprintable()
        assert kind(word) == str(kind(word)) == word


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("wanted", [*SPLIT, "script_failure", "no_updates_running", "from_2030"])
def test_matches_itself_and_its_replacements(reason, wanted):
    expected = reason == wanted or reason in SPLIT.get(wanted, set())
    assert FailureReason(reason).matches(wanted) is expected
    assert FailureReason(reason).matches(FailureReason(wanted)) is expected


def test_matches_any_of_several_reasons():
    reason = FailureReason.SERVER_TIMEOUT_RUNNING
    assert reason.matches("script_failure", "job_execution_timeout")
    assert not reason.matches("script_failure", "stuck_or_timeout_failure")
    assert not reason.matches()


@given(st.text())
def test_unlisted_reasons_match_themselves_only(text):
    reason = FailureReason(text)
    assert reason.matches(text)
    assert reason.matches(*SPLIT) is (text in set().union(SPLIT, *SPLIT.values()))
    assert pickle.loads(pickle.dumps(reason)) == reason == text


def test_matches_refuses_a_list_of_reasons():
    with pytest.raises(TypeError, match=r"^reasons must be strings, not list$"):
        FailureReason.SCRIPT_FAILURE.matches(["script_failure"])
