"""Invalid arguments are refused before any request; the error names the expected values."""

from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import Job, JobStatus
from gitlab_jobs_async.api import parameters

NO_IDS = [0, -1, True, False, 1.0, "7", None]


@pytest.mark.parametrize("value", NO_IDS)
def test_id_is_a_whole_number_above_0(value):
    with pytest.raises((TypeError, ValueError), match=r"job_id .*above 0, not") as refused:
        parameters.job_path(17, value)
    assert str(refused.value).endswith(repr(value))


def test_job_in_place_of_its_id_has_a_hint():
    with pytest.raises(TypeError, match=r"^job_id must be .*, not Job\(.*\): pass its id$"):
        parameters.job_path(17, Job(id=7, status=JobStatus.FAILED, stage="test", name="unit"))


NO_PROJECTS = [
    "", " ", "/", "a\nb", " a", "..", "a/../b", "a//b", "a%2Fb", "https://gitlab.com/a",
    True, 0, -3, 1.5, None,
]  # fmt: skip


@pytest.mark.parametrize("value", NO_PROJECTS)
def test_project_is_an_id_or_a_path(value):
    with pytest.raises((TypeError, ValueError), match="project") as refused:
        parameters.project_path(value)
    assert repr(value) in str(refused.value)


@pytest.mark.parametrize(
    ("project", "path"),
    [
        (17, "/projects/17"),
        ("17", "/projects/17"),
        ("group/app", "/projects/group%2Fapp"),
        ("/group/app/", "/projects/group%2Fapp"),
        ("a/b/c.d-e_f", "/projects/a%2Fb%2Fc.d-e_f"),
        ("grüße/app", "/projects/gr%C3%BC%C3%9Fe%2Fapp"),
        ("a?b/c#d", "/projects/a%3Fb%2Fc%23d"),
    ],
)
def test_project_path_is_quoted_once(project, path):
    assert parameters.project_path(project) == path


LETTERS = st.characters(exclude_categories=["C", "Z"], exclude_characters="/.\\%")


@given(st.text(LETTERS, min_size=1))
def test_no_project_path_escapes_its_segment(name):
    path = parameters.project_path(name)
    assert path.count("/") == 2
    assert path.isascii()
    assert not set(path) & set("?# ")
    assert unquote(path.removeprefix("/projects/")) == name


@pytest.mark.parametrize(
    ("scope", "params"),
    [
        ((), []),
        ("failed", ["failed"]),
        (JobStatus.FAILED, ["failed"]),
        (["failed", JobStatus.RUNNING, "failed"], ["failed", "running"]),
        (JobStatus("levitating"), ["levitating"]),
        ({JobStatus("levitating")}, ["levitating"]),
        ((s for s in ("manual", "canceling")), ["manual", "canceling"]),
        (list(JobStatus), list(JobStatus)),
    ],
)
def test_scope_is_one_status_or_several(scope, params):
    assert parameters.scope_params(scope) == [("scope[]", value) for value in params]


@pytest.mark.parametrize("scope", ["faild", "", ["failed", "cancelled"], "failed,running"])
def test_unknown_scope_lists_the_statuses(scope):
    with pytest.raises(ValueError, match="waiting_for_resource") as refused:
        parameters.scope_params(scope)
    assert repr(scope if isinstance(scope, str) else scope[-1]) in str(refused.value)


@pytest.mark.parametrize(
    ("scope", "said"),
    [([7], "invalid scope 7"), (None, "invalid scope None"), (5, "invalid scope 5")],
)
def test_scope_of_another_type_is_refused(scope, said):
    with pytest.raises(TypeError, match=said):
        parameters.scope_params(scope)


@pytest.mark.parametrize(
    "variables", [{"K": 1}, {"K": None}, {"K": True}, {"": "v"}, {1: "v"}, [("K", "v")], "K=V"]
)
def test_variable_is_a_string(variables):
    with pytest.raises((TypeError, ValueError), match="variable"):
        parameters.job_variables(variables)


def test_refused_variable_is_named():
    with pytest.raises(TypeError, match="invalid value 3 of variable 'COUNT': expected a string"):
        parameters.job_variables({"OK": "1", "COUNT": 3})


@pytest.mark.parametrize(
    "inputs",
    [
        {"k": None},
        {"k": {"a": 1}},
        {"k": [None]},
        {1: 2},
        ["k"],
        {"k": float("nan")},
        {"k": float("inf")},
        {"k": 10**30},
        {"k": "\ud800"},
    ],
)
def test_input_is_a_plain_value(inputs):
    with pytest.raises(TypeError, match="input"):
        parameters.job_inputs(inputs)


@pytest.mark.parametrize("path", ["", "/a", "a//b", "../a", "a/..", "./a", "a/"])
def test_artifact_path_stays_in_the_archive(path):
    with pytest.raises(ValueError, match="path"):
        parameters.artifact_path(path)


def test_artifact_path_keeps_its_slashes():
    assert parameters.artifact_path("a b/ü?.html") == "a%20b/%C3%BC%3F.html"


def test_time_is_sent_in_utc():
    berlin = datetime(2026, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=1)))
    assert parameters.moment("updated_after", berlin) == "2026-01-02T02:04:00Z"
    assert parameters.moment("x", datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00Z"


@pytest.mark.parametrize("value", [datetime(2026, 1, 2), "2026-01-02", 5])  # noqa: DTZ001
def test_time_without_a_zone_is_refused(value):
    with pytest.raises(TypeError, match="updated_after must be a datetime with a time zone"):
        parameters.moment("updated_after", value)


@pytest.mark.parametrize("value", [0, -1, True, "30", None, float("nan"), float("inf")])
def test_timeout_is_a_number_of_seconds(value):
    with pytest.raises((TypeError, ValueError), match="timeout must be a number of seconds"):
        parameters.seconds("timeout", value)


@pytest.mark.parametrize(
    "value", ["my-bot", "my-bot/1.2", "a/1 b/2", "a/1 (team@example.com; +https://x.y/z) c", "a ()"]
)
def test_user_agent_is_made_of_products(value):
    assert parameters.products("user_agent", value) == value


@pytest.mark.parametrize(
    "value",
    ["", " ", "a/", "/1", "a/1/2", "a  b", "a ", "(only)", "a (b", "a (b(c))", "a\r\nHost: evil",
     "a\n", "bö/1", "a (ö)", 7, b"a", True],
)  # fmt: skip
def test_invalid_user_agent_is_refused(value):
    with pytest.raises((TypeError, ValueError), match="user_agent must be products") as refused:
        parameters.products("user_agent", value)
    assert str(refused.value).endswith(f"not {value!r}")


def test_length_of_the_user_agent_is_limited():
    """Servers limit the length of a header, nginx to 8 kB with its name."""
    assert parameters.products("user_agent", "a" * 256)
    with pytest.raises(ValueError, match="user_agent must have at most 256 characters"):
        parameters.products("user_agent", "a" * 257)
