"""Unit tests of redirects: credentials stay at one origin, and loops are refused."""

import re

import pytest

from gitlab_jobs_async import Request
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.http.redirects import RedirectRefusedError, next_hop

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
def test_redirect_is_a_request_or_a_url(status, location, leads_to):
    assert next_hop(HERE, HOP, status, location) == leads_to


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("http://gitlab.example.com/api/v4/x", "from https to http on the same host"),
        (JOBS, "redirected to itself"),
        ("https://www.gitlab.example.com/api/v4/projects/g%2Fa/jobs?page=2", "to itself"),
        ("file:///etc/passwd", "expected an http"),
        ("javascript:alert(1)", "expected an http"),
        ("https://gitlab.example.com@evil.example/", "expected an http"),
        ("/users/sign_in", "the sign-in page"),
        ("https://[::1", "invalid URL"),
        ("https://host:port/", "invalid URL"),
        ("https://ex ample.com/", "invalid URL"),
        ("https://a.example\\b.example/x", "invalid URL"),
        ("https://a..example/", "invalid URL"),
        ("https://a.example/\x00", "control characters"),
        ("/a\tb", "control characters"),
        ("/a\x7fb", "control characters"),
        ("", "redirected to itself"),
        ("#top", "redirected to itself"),
    ],
)
def test_unsafe_or_endless_redirect_is_refused(location, why):
    with pytest.raises(RedirectRefusedError, match=why):
        next_hop(HERE, HOP, 301, location)


@pytest.mark.parametrize(
    ("location", "sent"),
    [
        ("/b/a b.zip?sig=1", "/b/a%20b.zip?sig=1"),
        ("/b/a%20b.zip?sig=a%2Fb%3D", "/b/a%20b.zip?sig=a%2Fb%3D"),
        (
            "/b/a b.zip?X-Amz-Signature=ab%2Bc&n=x y+z",
            "/b/a%20b.zip?X-Amz-Signature=ab%2Bc&n=x%20y+z",
        ),
        ("/b/übér.zip?n=日", "/b/%C3%BCb%C3%A9r.zip?n=%E6%97%A5"),
        ("/b/\udcfc.zip", "/b/%FC.zip"),
        ('/b/"<>`{}^\\.zip', "/b/%22%3C%3E%60%7B%7D%5E%5C.zip"),
        ("/b/[1](2)|~;=,:@!$&'*.zip", "/b/[1](2)|~;=,:@!$&'*.zip"),
        ("/b/100%.zip?a=%zz", "/b/100%.zip?a=%zz"),
        ("/b/a.zip?r=/x?y&s=[1]#part one", "/b/a.zip?r=/x?y&s=[1]"),
        ("?sig=1 2", "/first?sig=1%202"),
        ("//other.example/b c", "https://other.example/b%20c"),
        ("https://BÜCHER.example:8443/b", "https://xn--bcher-kva.example:8443/b"),
        ("https://[2001:DB8::1]:8443/b c", "https://[2001:db8::1]:8443/b%20c"),
    ],
)
def test_location_is_encoded_once(location, sent):
    # GitLab passes a storage's URL unchanged; Azure and MinIO leave spaces in file names.
    expected = sent if sent.startswith("https:") else f"https://b.example{sent}"
    assert next_hop(HERE, "https://b.example/first", 302, location) == expected


def test_encoded_location_here_is_a_request():
    moved = next_hop(HERE, HOP, 301, "/api/v4/projects/a b/ü?q=x y")
    assert moved == Request("GET", "/projects/a%20b/%C3%BC", [("q", "x y")])


def test_redirect_to_https_names_the_url_to_use():
    plain, job = ServerUrl("http://gitlab.example.com"), Request("GET", "/job")
    with pytest.raises(RedirectRefusedError, match=r"use https://gitlab\.example\.com as the url"):
        next_hop(plain, job, 301, "https://gitlab.example.com/")


def test_post_is_not_redirected():
    with pytest.raises(RedirectRefusedError, match="only a GET is redirected"):
        next_hop(HERE, Request("POST", "/projects/1/jobs/1/erase"), 307, "/api/v4/x")


def test_other_host_cannot_redirect_back():
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
def test_refusal_shows_no_login_or_signature(location, shown):
    with pytest.raises(RedirectRefusedError, match=re.escape(shown)) as refused:
        next_hop(HERE, HOP, 302, location)
    assert "hunter2" not in str(refused.value)
    assert "sig" not in str(refused.value)
