"""Redirects: the credential stays at one origin, and a way that does not end is refused."""

import re

import pytest

from gitlab_jobs_async import Request
from gitlab_jobs_async.sansio.redirects import RedirectRefusedError, next_hop
from gitlab_jobs_async.sansio.urls import ServerUrl

HERE = ServerUrl("https://gitlab.example.com")
HOP = Request("GET", "/projects/g%2Fa/jobs", [("page", "2")])
JOBS = HERE.url_for(HOP)


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
    assert next_hop(HERE, HOP, status, location) == leads_to


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("http://gitlab.example.com/api/v4/x", "from https to http on the same host"),
        (JOBS, "redirected to itself"),
        ("https://www.gitlab.example.com/api/v4/projects/g%2Fa/jobs?page=2", "to itself"),
        ("file:///etc/passwd", "no plain http"),
        ("javascript:alert(1)", "no plain http"),
        ("https://gitlab.example.com@evil.example/", "no plain http"),
        ("/users/sign_in", "the sign-in page"),
        ("https://[::1", "no URL"),
        ("https://host:port/", "no URL"),
    ],
)
def test_a_redirect_that_is_unsafe_or_endless_is_refused(location, why):
    with pytest.raises(RedirectRefusedError, match=why):
        next_hop(HERE, HOP, 301, location)


def test_a_redirect_to_https_is_refused_and_says_what_to_use():
    plain, job = ServerUrl("http://gitlab.example.com"), Request("GET", "/job")
    with pytest.raises(RedirectRefusedError, match=r"use https://gitlab\.example\.com as the url"):
        next_hop(plain, job, 301, "https://gitlab.example.com/")


def test_a_post_is_not_redirected():
    with pytest.raises(RedirectRefusedError, match="only a GET is redirected"):
        next_hop(HERE, Request("POST", "/projects/1/jobs/1/erase"), 307, "/api/v4/x")


def test_another_place_cannot_lead_back_or_to_itself_in_clear():
    assert next_hop(HERE, "https://a.example/x", 302, "https://b.example/y")
    with pytest.raises(RedirectRefusedError, match="redirected back from a\\.example"):
        next_hop(HERE, "https://a.example/x", 302, "https://gitlab.example.com/api/v4/job")
    with pytest.raises(RedirectRefusedError, match="from https to http on the same host"):
        next_hop(HERE, "https://a.example/x", 302, "http://a.example/x")


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://ada:hunter2@b.example/a?sig=1#x", "'https://b.example/a'"),
        ("//ada:hunter2@b.example/a", "'https://b.example/a'"),
        ("https://ada:hunter2@[b.example/a?sig=1", "'https://[b.example/a'"),
        ("ftp://b.example/a?sig=1\n2", "'ftp://b.example/a'"),
    ],
)
def test_a_refusal_shows_no_login_and_no_signature(location, shown):
    with pytest.raises(RedirectRefusedError, match=re.escape(shown)) as refused:
        next_hop(HERE, HOP, 302, location)
    assert "hunter2" not in str(refused.value)
    assert "sig" not in str(refused.value)
