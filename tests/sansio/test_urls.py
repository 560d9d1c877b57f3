"""The server's address: what a person may give, and where no answer can lead a credential."""

import pytest

from gitlab_jobs_async import Request
from gitlab_jobs_async.sansio.urls import RedirectRefusedError, ServerUrl

HERE = ServerUrl("https://gitlab.example.com")


@pytest.mark.parametrize(
    ("given", "api"),
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
def test_a_server_is_read_as_people_write_it(given, api):
    assert ServerUrl.parse(given).url_for(Request("GET", "/x")) == api


@pytest.mark.parametrize(
    "given",
    ["", "gitlab.com", "//gitlab.com", "ftp://gitlab.com", "https://", "https://a b.com",
     "https://gitlab.com?x=1", "https://gitlab.com#x", "https://gitlab.com:port", "https://[::1",
     "https://gitlab.com/\n"],
)  # fmt: skip
def test_a_url_that_is_none_is_refused_by_name(given):
    with pytest.raises(ValueError, match=r"allowed is a URL such as 'https://gitlab") as refused:
        ServerUrl.parse(given)
    assert repr(given) in str(refused.value)


def test_a_url_with_a_password_is_refused_without_showing_it():
    with pytest.raises(ValueError, match="user name or password") as refused:
        ServerUrl.parse("https://ada:hunter2@gitlab.com")
    assert "hunter2" not in str(refused.value)


def test_a_url_of_another_type_is_refused():
    with pytest.raises(TypeError, match="not int"):
        ServerUrl.parse(17)  # type: ignore[arg-type]  # on purpose


def test_no_shown_url_holds_a_token():
    request = Request("GET", "/job", [("job_token", "s3cret"), ("page", "2")])
    assert HERE.shown(request) == "https://gitlab.example.com/api/v4/job?page=2"


def test_a_link_of_another_host_is_asked_for_here_and_without_its_token():
    link = "http://internal:8080/sub/api/v4/projects/a%2Fb/jobs?cursor=x%3D&job_token=s&page=1"
    request = HERE.request_at(link)
    assert request == Request("GET", "/projects/a%2Fb/jobs", [("cursor", "x="), ("page", "1")])
    assert HERE.request_at("https://gitlab.example.com/users/sign_in") is None


JOBS = "https://gitlab.example.com/api/v4/projects/g%2Fa/jobs?page=2"


@pytest.mark.parametrize(
    ("status", "location", "leads_to"),
    [
        (301, "https://gitlab.example.com/api/v4/projects/17/jobs?page=2",
         Request("GET", "/projects/17/jobs", [("page", "2")])),
        (301, "http://internal.example/api/v4/projects/17/jobs",
         Request("GET", "/projects/17/jobs")),
        (302, "/api/v4/projects/17/jobs", Request("GET", "/projects/17/jobs")),
        (302, "https://bucket.example/a.zip?sig=1", "https://bucket.example/a.zip?sig=1"),
        (302, "http://bucket.example/api/v4/x", "http://bucket.example/api/v4/x"),
        (302, "//bucket.example/a.zip", "https://bucket.example/a.zip"),
        (307, "https://gitlab.example.com/-/a.zip", "https://gitlab.example.com/-/a.zip"),
    ],
)  # fmt: skip
def test_a_redirect_leads_to_a_signed_request_here_or_a_bare_url(status, location, leads_to):
    assert HERE.follow(JOBS, status, location) == leads_to


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("http://gitlab.example.com/api/v4/x", "from https to http on the same host"),
        (JOBS, "redirected to itself"),
        ("https://www.gitlab.example.com/api/v4/projects/g%2Fa/jobs?page=2", "to itself"),
        ("file:///etc/passwd", "not http"),
        ("javascript:alert(1)", "not http"),
        ("https://[::1", "no URL"),
        ("https://host:port/", "no URL"),
    ],
)
def test_a_redirect_that_is_unsafe_or_endless_is_refused(location, why):
    with pytest.raises(RedirectRefusedError, match=why):
        HERE.follow(JOBS, 301, location)


def test_a_redirect_to_https_is_refused_and_says_what_to_use():
    plain = ServerUrl("http://gitlab.example.com")
    with pytest.raises(RedirectRefusedError, match=r"use https://gitlab\.example\.com as the url"):
        plain.follow("http://gitlab.example.com/api/v4/job", 301, "https://gitlab.example.com/")


@pytest.mark.parametrize("path", ["", "version", "/a b", "/a?b", "/a#b", "/é", "/a\r\nX: y"])
def test_a_path_that_is_no_path_is_refused(path):
    with pytest.raises(ValueError, match="no path below /api/v4"):
        Request("GET", path)
