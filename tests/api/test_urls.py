"""The server's address: accepted URLs, and no redirection of credentials by a response."""

from urllib.parse import urlencode

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import Request
from gitlab_jobs_async.api.urls import ServerUrl

HERE = ServerUrl("https://gitlab.example.com")


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.tuples(TEXTS, TEXTS | st.integers())))
def test_query_is_written_as_a_form(params):
    written = f"?{urlencode(params)}" if params else ""
    assert Request("GET", "/projects", params).target == f"/projects{written}"


@pytest.mark.parametrize(
    ("given_", "api"),
    [
        ("https://gitlab.com", "https://gitlab.com/api/v4/x"),
        ("https://gitlab.com/", "https://gitlab.com/api/v4/x"),
        ("https://gitlab.com/api/v4", "https://gitlab.com/api/v4/x"),
        ("https://gitlab.com/api/v4/", "https://gitlab.com/api/v4/x"),
        ("HTTPS://GitLab.COM:443", "https://gitlab.com/api/v4/x"),
        ("http://localhost:8080/gitlab", "http://localhost:8080/gitlab/api/v4/x"),
        ("http://[::1]:3000", "http://[::1]:3000/api/v4/x"),
        ("https://müller.example", "https://xn--mller-kva.example/api/v4/x"),
    ],
)
def test_server_is_parsed_from_common_forms(given_, api):
    assert ServerUrl.parse(given_).url_for(Request("GET", "/x")) == api


@pytest.mark.parametrize(
    "given",
    ["", "gitlab.com", "//gitlab.com", "ftp://gitlab.com", "https://", "https://a b.com",
     "https://a..b", "https://gitlab.com:port", "https://[::1",
     "https://gitlab.com/\n", 'https://"gitlab.com"', "https://gitlab.com\\.evil", "https://a;b",
     "https://https://gitlab.com", "http://a/http://b"],
)  # fmt: skip
def test_invalid_url_is_named(given):
    with pytest.raises(ValueError, match=r"expected a URL such as 'https://gitlab") as refused:
        ServerUrl.parse(given)
    assert repr(given) in str(refused.value)


@pytest.mark.parametrize(
    "given",
    [
        "https://ada:hunter2@gitlab.com",
        "https://ada:hunter2@gitlab.com:80a",
        "https://ada:hunter2/x@gitlab.com",
        "ada:hunter2@gitlab.com",
        "https://gitlab.com?private_token=hunter2",
        "https://gitlab.com/#hunter2",
    ],
)
def test_url_with_a_login_is_refused_unshown(given):
    with pytest.raises(ValueError, match="not shown") as refused:
        ServerUrl.parse(given)
    assert "hunter2" not in str(refused.value)


def test_url_of_another_type_is_refused():
    with pytest.raises(TypeError, match="url is a int"):
        ServerUrl.parse(17)  # type: ignore[arg-type]  # on purpose


def test_no_shown_url_holds_a_token():
    request = Request("GET", "/job", [("job_token", "s3cret"), ("page", "2")])
    assert HERE.shown(request) == "https://gitlab.example.com/api/v4/job?page=2"


def test_request_at_keeps_host_and_drops_token():
    link = "http://internal:8080/sub/api/v4/projects/a%2Fb/jobs?cursor=x%3D&job_token=s&page=1"
    like = Request("HEAD", "/x", headers={"If-None-Match": "e"})
    due = [("cursor", "x="), ("page", "1")]
    assert HERE.request_at(link, like) == evolve(like, path="/projects/a%2Fb/jobs", params=due)


@pytest.mark.parametrize(
    "link",
    [
        "https://gitlab.example.com/users/sign_in",
        "http://[::1/api/v4/x",
        "",
        "/api/v4",
        "/api/v4/x?a=\udcff",
    ],
)
def test_request_at_ignores_foreign_urls(link):
    assert HERE.request_at(link, Request("GET", "/x")) is None


def test_request_at_is_one_of_rest():
    found = HERE.request_at("https://x/api/v4/jobs", Request("GET", "/graphql", base="/api"))
    assert found == Request("GET", "/jobs")


def test_request_at_quotes_the_path():
    request = HERE.request_at("https://x/api/v4/projects/grüße x/jobs", Request("GET", "/x"))
    assert request.path == "/projects/gr%C3%BC%C3%9Fe%20x/jobs"


@pytest.mark.parametrize(
    "path", ["", "version", "/a b", "/a?b", "/a#b", "/é", "/a\r\nX: y", "/a\x00"]
)
def test_invalid_path_is_refused(path):
    with pytest.raises(ValueError, match="expected a percent-encoded path below /api/v4"):
        Request("GET", path)


@pytest.mark.parametrize("method", ["", "GET /x", "G\r\n", "é"])
def test_invalid_method_is_refused(method):
    with pytest.raises(ValueError, match="invalid method"):
        Request(method, "/x")
