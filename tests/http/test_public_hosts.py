"""Requests to public host names, which no server on the loopback can play: mocked by aioresponses.

Origins follow https://www.rfc-editor.org/rfc/rfc6454#section-4, and the storages are those that
https://docs.gitlab.com/administration/object_storage/ lists.
"""

import ssl
from types import SimpleNamespace

import aiohttp
import pytest
from yarl import URL

from gitlab_jobs_async import (
    CertificateError,
    ConnectionFailedError,
    GitLab,
    Request,
    RequestHooks,
    ResponseError,
    RetryPolicy,
    TLSConfig,
)
from tests.support.certificates import Certificates
from tests.support.clocks import JumpClock
from tests.support.credentials import CREDENTIALS, SECRET
from tests.support.exposure import exposed

GITLAB_COM = "https://gitlab.com"
ARCHIVE_URL = f"{GITLAB_COM}/api/v4/projects/1/jobs/2/artifacts/a.txt"
VERSION = Request("GET", "/version")
ERASE = Request("POST", "/projects/1/jobs/1/erase")
STORAGES = [
    "https://storage.googleapis.com/gitlab-artifacts/aa/bb/a.zip?X-Goog-Signature=s1gned",
    "https://bucket.s3.eu-central-1.amazonaws.com/aa/a.zip?X-Amz-Signature=s1gned",
    "https://account.blob.core.windows.net/c/a.zip?sv=2021&sig=s1gned%3D",
    "https://cdn.artifacts.gitlab-static.net/aa/a.zip?Signature=s1gned",
]
LOOKALIKES = [
    "https://gitlab.com.evil.example/api/v4/version",
    "https://evil-gitlab.com/api/v4/version",
    "https://www.gitlab.com/api/v4/version",
    "https://gitlab.com:8443/api/v4/version",
    "https://xn--gitlab-.com/api/v4/version",
    "http://gitlab.net/api/v4/version",
]
JOB = {"id": 2, "status": "success", "stage": "test", "name": "unit"}


@pytest.fixture
def server(repaired_aioresponses):
    with repaired_aioresponses() as mocked:
        yield mocked


def sent_to(server, host):
    """Return the headers and URLs of all requests to *host*, as text."""
    calls = [(url, call) for (_, url), made in server.requests.items() for call in made]
    return [f"{url} {call.kwargs['headers']}" for url, call in calls if url.host == host]


def redirect(server, url, location, status=302):
    server.get(url, status=status, headers={"Location": location})


@pytest.mark.parametrize("auth", CREDENTIALS, ids=lambda auth: f"{auth!r}")
@pytest.mark.parametrize("storage", STORAGES)
async def test_storage_gets_no_credentials(server, auth, storage):
    query = {"job_token": SECRET} if getattr(auth, "via", "") == "query" else {}
    redirect(server, URL(ARCHIVE_URL).with_query(query), storage)
    server.get(URL(storage, encoded=True), body=b"text", content_type="text/plain")
    async with GitLab(auth=auth) as gitlab:
        assert await gitlab.project(1).get_artifact_file(2, "a.txt") == b"text"
    (own,), (other,) = sent_to(server, "gitlab.com"), sent_to(server, URL(storage).host)
    assert SECRET in own
    assert "s1gned" in other
    assert SECRET not in other


@pytest.mark.parametrize("auth", CREDENTIALS, ids=lambda auth: f"{auth!r}")
@pytest.mark.parametrize("location", LOOKALIKES)
async def test_lookalike_host_gets_no_credentials(server, auth, location):
    query = {"job_token": SECRET} if getattr(auth, "via", "") == "query" else {}
    redirect(server, URL(f"{GITLAB_COM}/api/v4/version").with_query(query), location)
    server.get(location, payload={})
    async with GitLab(auth=auth) as gitlab:
        await gitlab.send(VERSION)
    calls = [(url, call) for (_, url), (call,) in server.requests.items()]
    others = [f"{url} {call.kwargs}" for url, call in calls if url.origin() != URL(GITLAB_COM)]
    assert len(others) == 1
    assert SECRET not in others[0]


@pytest.mark.parametrize(
    "location",
    ["https://GitLab.com:443/api/v4/projects/9", "https://gitlab.com./api/v4/projects/9"],
)
async def test_own_origin_is_recognized(server, location):
    """A host with a final dot is another one, as in browsers."""
    redirect(server, f"{GITLAB_COM}/api/v4/version", location)
    server.get("https://gitlab.com/api/v4/projects/9", payload={})
    server.get("https://gitlab.com./api/v4/projects/9", payload={})
    async with GitLab(auth=SECRET) as gitlab:
        await gitlab.send(VERSION)
    first, *dotted = sent_to(server, "gitlab.com"), *sent_to(server, "gitlab.com.")
    assert [SECRET in said for said in first] == [True] * len(first)
    assert not [said for said in dotted if SECRET in said]
    assert len(first) + len(dotted) == 2


@pytest.mark.parametrize("status", [301, 307, 308])
async def test_moved_project_is_asked_for_here(server, status):
    """GitLab writes the host it is configured with, such as that behind a proxy."""
    inner = "https://gitlab.internal.example/api/v4/projects/9/jobs/2"
    redirect(server, f"{GITLAB_COM}/api/v4/projects/old%2Fapp/jobs/2", inner, status)
    server.get(f"{GITLAB_COM}/api/v4/projects/9/jobs/2", payload=JOB)
    async with GitLab(auth=SECRET) as gitlab:
        assert (await gitlab.project("old/app").get_job(2)).id == 2
    assert sent_to(server, "gitlab.internal.example") == []


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://gitlab.com/api/v4/version", "redirected from https to http on the same host"),
        ("https://gitlab.com/users/sign_in", "redirected to the sign-in page"),
        (f"https://user:{SECRET}@evil.example/", "expected an http.* URL without a login"),
        (f"https://evil.example/?t={SECRET}", "to another host with the token in its URL"),
        ("ftp://gitlab.com/api/v4/version", "expected an http"),
    ],
)
async def test_unsafe_redirect_is_refused(server, location, reason):
    redirect(server, f"{GITLAB_COM}/api/v4/version", location)
    async with GitLab(auth=SECRET) as gitlab:
        with pytest.raises(ResponseError, match=reason) as raised:
            await gitlab.send(VERSION)
    assert exposed(raised.value, SECRET) == []
    assert len(server.requests) == 1


async def test_storage_may_not_redirect_back(server):
    redirect(server, ARCHIVE_URL, STORAGES[0])
    redirect(server, URL(STORAGES[0], encoded=True), f"{GITLAB_COM}/api/v4/user")
    async with GitLab(auth=SECRET) as gitlab:
        with pytest.raises(ResponseError, match=r"redirected back from storage.googleapis.com"):
            await gitlab.project(1).get_artifact_file(2, "a.txt")
    assert len(sent_to(server, "gitlab.com")) == 1


# Failures before a connection


def unmade(kind, error):
    key = SimpleNamespace(host="gitlab.com", port=443, is_ssl=True, ssl=True)
    return kind(key, error)


@pytest.mark.parametrize("request_", [VERSION, ERASE])
async def test_unknown_host_is_retried(server, request_):
    """Nothing was sent, so an action is repeated as well."""
    ends = []
    failure = unmade(aiohttp.ClientConnectorDNSError, OSError(-2, "Name or service not known"))
    url = f"{GITLAB_COM}/api/v4{request_.path}"
    server.add(url, request_.method, exception=failure)
    server.add(url, request_.method, payload={})
    hooks = RequestHooks(on_end=ends.append)
    async with GitLab(auth=SECRET, clock=JumpClock(), hooks=hooks) as gitlab:
        assert (await gitlab.send(request_)).status == 200
    assert [end.error for end in ends] == ["ConnectionFailedError", None]


async def test_unknown_host_is_named(server):
    failure = unmade(aiohttp.ClientConnectorDNSError, OSError(-2, "Name or service not known"))
    server.get(f"{GITLAB_COM}/api/v4/version", exception=failure)
    async with GitLab(auth=SECRET, retry=RetryPolicy(attempts=1)) as gitlab:
        with pytest.raises(ConnectionFailedError, match=r"gitlab\.com:443: Name or") as raised:
            await gitlab.send(VERSION)
    assert not raised.value.was_sent
    assert exposed(raised.value, SECRET) == []


async def test_public_certificate_error_is_final(server):
    cause = ssl.SSLCertVerificationError("certificate has expired")
    cause.verify_code, cause.verify_message = 10, "certificate has expired"
    failure = unmade(aiohttp.ClientConnectorCertificateError, cause)
    server.get(f"{GITLAB_COM}/api/v4/version", exception=failure)
    async with GitLab(auth=SECRET) as gitlab:
        with pytest.raises(CertificateError, match="has expired"):
            await gitlab.send(VERSION)
    assert len(sent_to(server, "gitlab.com")) == 1


# Settings by host


async def test_proxies_are_chosen_by_public_host(server, environment):
    environment.setenv("https_proxy", "http://proxy.example:3128")
    environment.setenv("no_proxy", "googleapis.com")
    redirect(server, ARCHIVE_URL, STORAGES[0])
    server.get(URL(STORAGES[0], encoded=True), body=b"text", content_type="text/plain")
    async with GitLab(auth=SECRET) as gitlab:
        await gitlab.project(1).get_artifact_file(2, "a.txt")
    used = {url.host: call.kwargs["proxy"] for (_, url), (call,) in server.requests.items()}
    assert {host: proxy and str(proxy) for host, proxy in used.items()} == {
        "gitlab.com": "http://proxy.example:3128",
        "storage.googleapis.com": None,
    }


async def test_client_certificate_is_for_the_origin(server, tmp_path):
    files = Certificates(tmp_path)
    tls = TLSConfig(ca_file=files.ca, client_cert=files.client_cert, client_key=files.client_key)
    redirect(server, ARCHIVE_URL, STORAGES[0])
    server.get(URL(STORAGES[0], encoded=True), body=b"text", content_type="text/plain")
    async with GitLab(auth=SECRET, ssl=tls) as gitlab:
        await gitlab.project(1).get_artifact_file(2, "a.txt")
        contexts = gitlab._transport._tls
    used = {url.host: call.kwargs["ssl"] for (_, url), (call,) in server.requests.items()}
    assert used == {"gitlab.com": contexts.own, "storage.googleapis.com": contexts.elsewhere}
    assert contexts.own is not contexts.elsewhere
