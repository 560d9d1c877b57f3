"""Names that people type, and URLs of web pages that they paste."""

from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.cli.errors import CommandError
from gitlab_jobs_async.cli.finding.references import (
    Commit,
    Latest,
    MergeRequest,
    is_url,
    parse_group_url,
    parse_job,
    parse_pipeline,
    parse_url,
)
from gitlab_jobs_async.cli.finding.routes import divide

SHA = "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678"
HOST = "https://gitlab.example.com"
SERVER = ServerUrl.parse(HOST)


def file_of(ref):
    return Latest(ref, may_have_path=True)


# Pages as browsers and chats show them: folder, pipeline, job.
PAGES = {
    "group/app": ("group/app", None, None),
    "group/app/": ("group/app", None, None),
    "group/app.git": ("group/app", None, None),
    "group/app/-": ("group/app", None, None),
    "a/b/c/d/app": ("a/b/c/d/app", None, None),
    "group%2Fapp": ("group/app", None, None),
    "gr%C3%BC%C3%9Fe/app": ("grüße/app", None, None),
    "group/app/-/pipelines": ("group/app", None, None),
    "group/app/-/pipelines?page=1&scope=all&ref=feature%2Fx": (
        "group/app", Latest("feature/x"), None,
    ),
    "group/app/-/pipelines/7": ("group/app", 7, None),
    "group/app/-/pipelines/7/": ("group/app", 7, None),
    "group/app/-/pipelines/7/failures": ("group/app", 7, None),
    "group/app/-/pipelines/7/test_report?job_name=rspec%201/3": ("group/app", 7, None),
    "group/app/-/pipelines/7.": ("group/app", 7, None),
    "group/app/-/pipelines/latest": ("group/app", Latest(), None),
    "group/app/-/pipelines/latest?ref=main": ("group/app", Latest("main"), None),
    "group/app/-/pipelines/feature/x/latest": ("group/app", Latest("feature/x"), None),
    "group/app/-/pipelines/charts?chart=pipelines": ("group/app", None, None),
    "group/app/-/jobs": ("group/app", None, None),
    "group/app/-/jobs/4": ("group/app", None, 4),
    "group/app/-/jobs/4#L23": ("group/app", None, 4),
    "group/app/-/jobs/4#L23-45": ("group/app", None, 4),
    "group/app/-/jobs/4/raw": ("group/app", None, 4),
    "group/app/-/jobs/4/trace.json?state=eyJvZmZ": ("group/app", None, 4),
    "group/app/-/jobs/4/artifacts/file/reports/junit.xml": ("group/app", None, 4),
    "group/app/-/builds/4": ("group/app", None, 4),
    "group/app/-/jobs/artifacts/main/download?job=compile": (
        "group/app", Latest("main"), "compile",
    ),
    "group/app/-/merge_requests/12": ("group/app", MergeRequest(12), None),
    "group/app/-/merge_requests/12/pipelines": ("group/app", MergeRequest(12), None),
    "group/app/-/merge_requests/12/diffs?tab=1#note_5": ("group/app", MergeRequest(12), None),
    "group/app/-/commit/" + SHA: ("group/app", Commit(SHA), None),
    "group/app/-/commit/A1B2C3D/pipelines?ref=main": ("group/app", Commit("a1b2c3d"), None),
    "group/app/-/tree/main": ("group/app", file_of("main"), None),
    "group/app/-/tree/main/src?ref_type=heads": ("group/app", file_of("main/src"), None),
    "group/app/-/blob/v1.0/a.py#L3-5": ("group/app", file_of("v1.0/a.py"), None),
    "group/app/-/commits/feature%2Fx": ("group/app", file_of("feature/x"), None),
    "group/app/-/environments/3": ("group/app", None, None),
    "group/app/-/ci/editor?branch_name=x": ("group/app", Latest("x"), None),
    "group/app/-/releases/v1.0": ("group/app", Latest("v1.0"), None),
    "group/app/-/releases/permalink/latest": ("group/app", None, None),
    "group/app/-/tags/v1%2F0": ("group/app", None, None),
    "group/app/-/blob/main/api/v4/projects/12/jobs/5": (
        "group/app", file_of("main/api/v4/projects/12/jobs/5"), None,
    ),
    "-/p/17": ("17", None, None),
    "projects/17": ("17", None, None),
    # Without /-/, as before GitLab 12.
    "group/app/pipelines/20": ("group/app", 20, None),
    "group/app/pipelines/20/builds": ("group/app", 20, None),
    "a/b/app/builds/5": ("a/b/app", None, 5),
    "group/app/builds/5/raw": ("group/app", None, 5),
    "group/app/builds/artifacts/main/download?job=x": ("group/app", Latest("main"), "x"),
    "group/app/builds": ("group/app", None, None),
    "group/app/jobs/5#L7": ("group/app", None, 5),
    "group/app/merge_requests/3/diffs": ("group/app", MergeRequest(3), None),
    "group/app/issues/3": ("group/app", None, None),
    "group/app/commit/" + SHA: ("group/app", Commit(SHA), None),
    "group/app/tree/main/pipelines/20": ("group/app", file_of("main/pipelines/20"), None),
    "group/app/badges/feature/x/pipeline.svg": ("group/app", Latest("feature/x"), None),
    "group/app/wikis/home": ("group/app", None, None),
    "group/app.git/info/refs?service=x": ("group/app", None, None),
    # Projects may be called so, and subgroups, too.
    "group/ci/pipelines": ("group/ci/pipelines", None, None),
    "group/jobs/20": ("group/jobs/20", None, None),
    "group/jobs/jobs/20": ("group/jobs", None, 20),
    "group/pipelines/merge_requests/-/jobs/4": ("group/pipelines/merge_requests", None, 4),
    "group/commit/commit/main": ("group/commit/commit/main", None, None),
    # The API.
    "api/v4/projects/12": ("12", None, None),
    "api/v4/projects/12/jobs/5": ("12", None, 5),
    "api/v4/projects/12/jobs/5/trace?byte_offset=7": ("12", None, 5),
    "api/v4/projects/12/jobs?scope[]=failed": ("12", None, None),
    "api/v4/projects/shop%2Fcheckout/pipelines/20": ("shop/checkout", 20, None),
    "api/v4/projects/a%2fb%2Fapp/pipelines/20/bridges": ("a/b/app", 20, None),
    "api/v4/projects/12/pipelines/latest?ref=v1": ("12", Latest("v1"), None),
    "api/v4/projects/12/pipelines?ref=refs/heads/x": ("12", Latest("x"), None),
    "api/v4/projects/12/jobs/artifacts/a%2Fb/download?job=x": ("12", Latest("a/b"), "x"),
    "api/v4/projects/12/merge_requests/3/pipelines": ("12", MergeRequest(3), None),
    "api/v4/projects/12/repository/commits/A1B2C3D/statuses": ("12", Commit("a1b2c3d"), None),
    "api/v4/projects/12/repository/branches/a%2Fb": ("12", Latest("a/b"), None),
    "group/app/-/settings/ci_cd#js-runners": ("group/app", None, None),
}  # fmt: skip


@pytest.mark.parametrize("around", ["{}", " {}\n", "<{}>", "({})", "<{}>.", "({}),"])
def test_page_of_each_route_is_read(around):
    for path, expected in PAGES.items():
        page = parse_url(around.format(f"{HOST}/{path}"))
        found = (page.address.project_at(SERVER), page.pipeline, page.job)
        assert found == expected, path


def test_address_is_compared_with_the_server():
    def project(url, server):
        return parse_url(url).address.project_at(ServerUrl.parse(server))

    assert project("HTTP://GitLab.Example.com:80/group/app", HOST) == "group/app"
    assert project("https://user:secret@gitlab.example.com/group/app", HOST) == "group/app"
    assert project("https://gitlab.example.com:8443/group/app", HOST) is None
    assert project("https://gitlab.example.com.evil.org/group/app", HOST) is None
    assert project("https://gitlab.example.com@evil.org/group/app", HOST) is None
    assert project("https://h:8443/git/lab/group/app/-/jobs/4", "https://h:8443/git/lab") == (
        "group/app"
    )
    assert project("https://h/gitlabs/group/app", "https://h/gitlab") is None
    api = "https://h/git/api/v4/projects/12/jobs/5"
    assert project(api, "https://h/git") == "12"
    # Only URLs of the API tell the relative root.
    assert project(api, "https://h") is None
    assert project("https://h/api/v4/projects/12/jobs/5", "https://h/git") is None
    assert project("http://[::1]:80/group/app", "http://[::1]") == "group/app"
    assert project("https://bücher.example/group/app", "https://xn--bcher-kva.example") == (
        "group/app"
    )


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://", "expected one such as"),
        ("https:///group/app", "expected one such as"),
        ("https://host:99999/group/app", "expected one such as"),
        ("https://host", "expected the URL of a project"),
        ("https://host/app", "pipeline or job; for a group, --group app"),
        ("https://host/-/profile", "expected the URL of a project"),
        ("https://host/groups/shop/-/issues", "--group shop"),
        ("https://host/groups/shop/sub", "--group shop/sub"),
        ("https://host/groups/shop", "--group shop"),
        ("https://host/git/api/v4/groups/shop%2Fsub/projects", "a group, --group shop/sub"),
        ("https://host/api/v4/projects", "expected the URL of a project"),
        ("https://host/api/v4/projects/12/jobs/x", "jobs/x: expected a number"),
        ("https://host/api/v4/projects/12/pipelines/0", "pipelines/0: expected a number"),
        ("https://host/group/app/-/jobs/4%3E", "/-/jobs/4>: expected a number"),
        ("https://host/group/app/-/pipelines/99999999999999999999", "expected a number"),
        ("https://me:secret@host/app?private_token=secret", "https://host/app:"),
    ],
)
def test_page_without_a_project_is_refused(url, words):
    with pytest.raises(CommandError) as info:
        parse_url(url)
    assert words in str(info.value)
    assert "secret" not in str(info.value)
    assert info.value.code == 2


def test_page_of_a_group_is_read():
    for path in ("shop/sub", "groups/shop/sub", "groups/shop/sub/-/issues", "shop/sub/-/",
            "api/v4/groups/shop%2Fsub/projects", "shop/sub."):  # fmt: skip
        assert parse_group_url(f"{HOST}/{path}").project_at(SERVER) == "shop/sub", path
    assert parse_group_url(f"{HOST}/git/api/v4/groups/7").project_at(SERVER) is None
    for path in ("", "shop/app/-/jobs/4", "shop/app/builds/4", "api/v4/groups"):
        with pytest.raises(CommandError, match="expected the URL of a group"):
            parse_group_url(f"{HOST}/{path}")


def test_page_without_its_scheme_is_read():
    for text in (
        "gitlab.example.com/group/app/-/jobs/4",
        "gitlab.example.com:443/group/app/-/jobs/4",
    ):
        assert is_url(text)
        assert parse_url(text).address.project_at(SERVER) == "group/app"
    assert not any(map(is_url, ["group/app/-/jobs/4", "a.b/c", "a.b/c?/-/", "build: a.b/c/-/d"]))


def test_line_of_a_log_is_read():
    lines = {"jobs/4": None, "jobs/4#L23": 23, "builds/4/raw#L7-9": 7, "blob/main/a#L3": None,
        "jobs/4#L0": None, "jobs/4#note_1": None}  # fmt: skip
    assert {path: parse_url(f"{HOST}/a/b/-/{path}").line for path in lines} == lines


def test_pipeline_of_each_form_is_read():
    forms = {
        "7": 7,
        " 7 ": 7,
        "#7": 7,
        "latest": Latest(),
        "!12": MergeRequest(12),
        "a1b2c3d": Commit("a1b2c3d"),
        "0123456": Commit("0123456"),
        SHA.upper(): Commit(SHA),
        SHA + "f": Latest(SHA + "f"),
        "abc123": Latest("abc123"),
        "main": Latest("main"),
        "feature/x": Latest("feature/x"),
        "refs/heads/latest": Latest("latest"),
        "refs/tags/v1": Latest("v1"),
        "refs/merge-requests/12/head": Latest("refs/merge-requests/12/head"),
    }
    assert {text: parse_pipeline(text) for text in forms} == forms


@pytest.mark.parametrize("text", ["", " ", "0", "012", "!", "!x", "-1", "--json", "a\x1b[31m"])
def test_pipeline_of_another_form_is_refused(text):
    with pytest.raises(CommandError, match="expected an id, latest, a branch"):
        parse_pipeline(text)


def test_job_is_an_id_or_a_name():
    assert [parse_job(text) for text in ("4", "#4", "lint", "test 1/3", "3.11", "²")] == [
        4, 4, "lint", "test 1/3", "3.11", "²",
    ]  # fmt: skip
    for text in ("", "  ", "0", "007", "a\nb", "--jsn"):
        with pytest.raises(CommandError, match="expected an id, a URL, or a name"):
            parse_job(text)


@given(st.text(st.characters() | st.sampled_from("/:@?#[]%-.")))
def test_any_text_is_read_or_refused(text):
    for parse in (parse_pipeline, parse_job, lambda text: parse_url(f"https://{text}")):
        with suppress(CommandError):
            assert parse(text) is not None
    assert is_url(f"https://{text}")


PART = st.from_regex(r"[a-z0-9_][a-z0-9_.-]{0,8}[a-z0-9_]", fullmatch=True)


@given(st.lists(PART, min_size=2, max_size=4), st.integers(1, 10**18), st.sampled_from(["", "/x"]))
def test_pasted_path_leads_to_its_project(parts, number, root):
    path = "/".join(parts)
    # None of these names can be a part of a path without /-/.
    if parts[0] == "groups" or parts[-1].endswith(".git") or divide(f"{root}/{path}").page:
        return
    server = ServerUrl.parse(f"https://host{root}")
    api = f"api/v4/projects/{quote(path, safe='')}"
    for kind in ("jobs", "pipelines"):
        for page in (f"{path}/-/{kind}", f"{path}/{kind}", f"{api}/{kind}"):
            found = parse_url(f"https://host{root}/{page}/{number}")
            assert found.address.project_at(server) == path
            assert number in (found.job, found.pipeline)
