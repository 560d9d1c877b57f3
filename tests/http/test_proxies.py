"""Proxies as in curl, without netrc: decisions by tables, the rest on real connections."""

import asyncio
import warnings
from base64 import b64encode
from urllib.parse import unquote

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import (
    BearerToken,
    ConnectionFailedError,
    GitLab,
    JobToken,
    Request,
    RetryPolicy,
    TLSConfig,
)
from gitlab_jobs_async.http.proxies import Proxies, Proxy
from tests.support.certificates import Certificates, shown_by_client
from tests.support.connections import open_connections
from tests.support.credentials import CREDENTIALS, SECRET
from tests.support.servers import serving
from tests.support.tasks import others, prompt

ONCE = RetryPolicy(attempts=1)
VERSION = Request("GET", "/version")
ONE, TWO, THREE = "http://one:1", "http://two:2", "http://three:3"


# Precedence of variables


@pytest.mark.parametrize(
    ("environ", "http", "https"),
    [
        ({}, None, None),
        ({"http_proxy": ONE}, ONE, None),
        # In a CGI program HTTP_PROXY is a header of the request.
        ({"HTTP_PROXY": ONE}, None, None),
        ({"https_proxy": ONE}, None, ONE),
        ({"HTTPS_PROXY": ONE}, None, ONE),
        ({"HTTPS_PROXY": ONE, "https_proxy": TWO}, None, TWO),
        ({"ALL_PROXY": ONE}, ONE, ONE),
        ({"all_proxy": ONE, "ALL_PROXY": TWO}, ONE, ONE),
        ({"all_proxy": ONE, "http_proxy": TWO}, TWO, ONE),
        ({"ALL_PROXY": ONE, "HTTP_PROXY": TWO, "HTTPS_PROXY": THREE}, ONE, THREE),
        ({"http_proxy": "", "all_proxy": " ", "ALL_PROXY": ONE}, ONE, ONE),
        ({"https_proxy": "  http://one:1\n"}, None, ONE),
        ({"https_proxy": "one:1"}, None, ONE),
        ({"https_proxy": "one"}, None, "http://one:80"),
        ({"https_proxy": "HTTP://ONE:1/"}, None, ONE),
        ({"https_proxy": "https://one"}, None, "https://one:443"),
        ({"https_proxy": "http://[::1]:3128"}, None, "http://[::1]:3128"),
        ({"https_proxy": ONE, "no_proxy": "*"}, None, None),
        ({"http_proxy": ONE, "no_proxy": "other", "NO_PROXY": "*"}, ONE, None),
        ({"http_proxy": ONE, "no_proxy": "", "NO_PROXY": "*"}, None, None),
    ],
)
def test_the_variable_that_counts(environ, http, https):
    proxies = Proxies.of_environment(environ)
    found = [proxies.proxy_for(f"{scheme}://gitlab.example/x") for scheme in ("http", "https")]
    assert [proxy and proxy.url for proxy in found] == [http, https]


@pytest.mark.parametrize(
    ("no_proxy", "url", "is_direct"),
    [
        ("gitlab.example", "http://gitlab.example", True),
        ("gitlab.example", "http://gitlab.example:8080/x", True),
        ("gitlab.example", "http://GitLab.Example", True),
        ("GITLAB.example", "http://gitlab.example", True),
        ("gitlab.example.", "http://gitlab.example", True),
        ("gitlab.example", "http://gitlab.example.", True),
        ("example", "http://gitlab.example", True),
        (".example", "http://gitlab.example", True),
        (".gitlab.example", "http://gitlab.example", True),
        ("*.example", "http://gitlab.example", True),
        ("lab.example", "http://gitlab.example", False),
        ("gitlab", "http://gitlab.example", False),
        ("a,gitlab.example", "http://gitlab.example", True),
        (" a , gitlab.example ", "http://gitlab.example", True),
        ("a gitlab.example\tb", "http://gitlab.example", True),
        ("a,*", "http://gitlab.example", True),
        (",", "http://gitlab.example", False),
        (".", "http://gitlab.example", False),
        ("gitlab.example:8080", "http://gitlab.example:8080", True),
        ("gitlab.example:8080", "http://gitlab.example", False),
        ("gitlab.example:80", "http://gitlab.example", True),
        (".example:443", "https://gitlab.example", True),
        ("10.0.0.0/8", "http://10.1.2.3", True),
        ("10.0.0.0/8", "http://10.1.2.3:8080", True),
        ("10.9.9.9/8", "http://10.1.2.3", True),
        ("10.0.0.0/8", "http://11.1.2.3", False),
        ("10.0.0.0/8", "http://10.example", False),
        ("10.1.2.3", "http://10.1.2.3", True),
        ("10.1.2.3:80", "http://10.1.2.3", True),
        ("1.2.3", "http://10.1.2.3", False),
        ("10.0.0.0/99", "http://10.1.2.3", False),
        ("0.0.0.0/0", "http://10.1.2.3", True),
        ("fd00::/8", "http://[fd12::1]", True),
        ("[fd00::]/8", "http://[fe12::1]", False),
        ("::1", "http://[::1]:8080", True),
        ("[::1]", "http://[::1]:8080", True),
        ("[::1]:8080", "http://[::1]:8080", True),
        ("[::1]:8080", "http://[::1]", False),
        ("0:0:0:0:0:0:0:1", "http://[::1]", True),
        ("::/0", "http://10.1.2.3", False),
        ("bücher.example", "http://xn--bcher-kva.example", True),
        ("localhost", "http://127.0.0.1", False),
    ],
)
def test_no_proxy_hosts_are_reached_directly(no_proxy, url, is_direct):
    environ = {"ALL_PROXY": ONE, "no_proxy": no_proxy}
    assert (Proxies.of_environment(environ).proxy_for(url) is None) == is_direct


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30))
def test_no_text_in_no_proxy_breaks_anything(text):
    proxies = Proxies.of_environment({"ALL_PROXY": ONE, "NO_PROXY": text})
    for url in ("http://gitlab.example", "https://10.0.0.1:8443", "http://[::1]"):
        assert proxies.proxy_for(url) in {None, Proxy(ONE)}


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30))
def test_any_text_is_a_proxy_or_a_clear_error(text):
    proxies = Proxies.of_environment({"ALL_PROXY": text})
    said = ""
    try:
        found = proxies.proxy_for("http://gitlab.example")
    except ValueError as error:
        found, said = None, str(error)
    assert not said or said.startswith("ALL_PROXY: ")
    assert found is None or found.url.startswith(("http://", "https://"))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("socks5://proxy:1080", "socks5:// proxies are not supported; expected an http://"),
        ("socks5h://u:hunter2@proxy", "socks5h:// proxies are not supported"),
        ("SOCKS4://proxy", "socks4:// proxies are not supported"),
        ("ftp://proxy", "ftp:// proxies are not supported"),
        ("http+unix://u:hunter2@proxy", r"http\+unix:// proxies are not supported"),
        ("socks-5://proxy:1080", "socks-5:// proxies are not supported"),
        ("http://", "invalid proxy"),
        ("http://proxy:port", "invalid proxy"),
        ("http://proxy:99999", "invalid proxy"),
        ("http://u:hunter2@", "invalid proxy"),
        ("http://u:hun/ter2@proxy:1", "invalid proxy"),
        ("http://u:hun#ter2@proxy:1", "invalid proxy"),
        ("http://proxy:1/path", "invalid proxy"),
        ("http://a b:1", "invalid proxy"),
        ("http://[::1", "invalid proxy"),
        (":3128", "invalid proxy"),
    ],
)
@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy", "ALL_PROXY"])
@prompt
async def test_unusable_proxy_is_refused_at_once(environment, variable, value, said):
    environment.setenv(variable, value)
    async with serving(answering({})) as server:
        with pytest.raises(ValueError, match=f"^{variable}: {said}") as refused:
            async with GitLab(server.url, auth=SECRET):
                pass
        assert "ter2" not in str(refused.value)
        environment.setenv("no_proxy", "127.0.0.0/8")
        async with GitLab(server.url, auth=SECRET) as gitlab:
            await gitlab.send(VERSION)
    assert not await others()


# On real connections


def answering(body):
    async def handler(_request):
        return web.json_response(body)

    return handler


@pytest.mark.parametrize("no_proxy", ["127.0.0.0/8", "127.0.0.1", "localhost,127.0.0.1", "*"])
async def test_no_proxy_network_is_reached_directly(environment, no_proxy):
    async with serving(answering("directly")) as server, serving(answering("proxy")) as proxy:
        environment.setenv("http_proxy", proxy.url)
        async with GitLab(server.url) as gitlab:
            assert (await gitlab.send(VERSION)).json() == "proxy"
        environment.setenv("no_proxy", no_proxy)
        async with GitLab(server.url) as gitlab:
            assert (await gitlab.send(VERSION)).json() == "directly"


@pytest.mark.parametrize(
    "login", ["ada:hunter2", "ada:p%40ss%2Fw%3A%23", "%C3%A4da:p%C3%A4ss", "ada"]
)
@pytest.mark.parametrize("given", ["own", "trusting"])
async def test_proxy_gets_its_login_but_no_token(environment, login, given):
    async with serving(answering("proxy")) as proxy:
        environment.setenv("ALL_PROXY", proxy.url.replace("//", f"//{login}@"))
        async with aiohttp.ClientSession(trust_env=True) as session:
            settings = {"session": session if given == "trusting" else None, "retry": ONCE}
            async with GitLab("http://gitlab.invalid", **settings) as gitlab:
                assert (await gitlab.send(VERSION)).json() == "proxy"
            async with GitLab("https://gitlab.invalid", auth=SECRET, **settings) as gitlab:
                with pytest.raises(ConnectionFailedError):
                    await gitlab.send(VERSION)
    user, _, password = login.partition(":")
    plain, tunnel = proxy.requests
    said = b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    for request in (plain, tunnel):
        assert request.headers["Proxy-Authorization"] == f"Basic {said}"
    assert tunnel.method == "CONNECT"
    assert SECRET not in f"{tunnel.headers}{tunnel.path_qs}"


async def through(reader, writer, seen):
    """Handle one connection of a proxy that tunnels to any host."""
    head = await reader.readuntil(b"\r\n\r\n")
    seen.append(head.split()[:2])
    host, _, port = head.split()[1].decode().rpartition(":")
    there, back = await asyncio.open_connection(host, int(port))
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

    async def pipe(source, sink):
        while data := await source.read(65536):
            sink.write(data)
        sink.close()

    await asyncio.gather(pipe(reader, back), pipe(there, writer), return_exceptions=True)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_https_server_is_reached_by_a_tunnel(environment, tmp_path, scheme):
    certificates, seen = Certificates(tmp_path), []
    secured = certificates.shown() if scheme == "https" else None
    proxy = await asyncio.start_server(
        lambda r, w: through(r, w, seen), "127.0.0.1", 0, ssl=secured
    )
    environment.setenv("https_proxy", f"{scheme}://127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
    config = TLSConfig(ca_file=certificates.ca)
    async with proxy, serving(answering("tunnel"), certificates.shown()) as server:
        async with GitLab(server.url, auth=SECRET, ssl=config) as gitlab:
            assert (await gitlab.send(VERSION)).json() == "tunnel"
            assert open_connections(gitlab) == 0
        cert = TLSConfig(ca_file=certificates.ca, client_cert=certificates.client_both)
        if scheme == "https":
            with pytest.raises(ValueError, match="a client certificate and an https:// proxy"):
                async with GitLab(server.url, auth=SECRET, ssl=cert):
                    pass
    assert seen == [[b"CONNECT", server.url.removeprefix("https://").encode()]]


async def test_http_server_is_reached_by_a_tls_proxy(environment, tmp_path):
    certificates = Certificates(tmp_path)
    shown = []

    async def answer(request):
        shown.append((request.host, shown_by_client(request)))
        if request.host == "gitlab.invalid":
            raise web.HTTPFound("http://storage.invalid/a.zip")
        return web.json_response("proxy")

    async with serving(answer, certificates.shown(asks=True)) as proxy:
        environment.setenv("ALL_PROXY", proxy.url)
        config = TLSConfig(ca_file=certificates.ca, client_cert=certificates.client_both)
        async with GitLab("http://gitlab.invalid", auth=SECRET, ssl=config) as gitlab:
            assert (await gitlab.send(VERSION)).json() == "proxy"
    assert shown == [("gitlab.invalid", None), ("storage.invalid", None)]


async def test_redirect_elsewhere_uses_the_proxy(environment):
    async def redirect(_request):
        raise web.HTTPFound("http://storage.invalid/a.zip")

    async with serving(answering("stored")) as proxy, serving(redirect) as server:
        environment.setenv("ALL_PROXY", proxy.url)
        environment.setenv("no_proxy", "127.0.0.1")
        async with GitLab(server.url, auth=SECRET) as gitlab:
            assert (await gitlab.send(VERSION)).json() == "stored"
            environment.setenv("ALL_PROXY", "socks5://proxy")
        async with GitLab(server.url, auth=SECRET, retry=ONCE) as gitlab:
            with pytest.raises(ConnectionFailedError, match="ALL_PROXY: socks5:// proxies are not"):
                await gitlab.send(VERSION)
    (asked,) = proxy.requests
    assert SECRET not in f"{asked.headers}"


@pytest.mark.parametrize("trust_env", [True, False])
async def test_sessions_own_proxy_is_used_everywhere(environment, trust_env):
    async def redirect(_request):
        raise web.HTTPFound("http://storage.invalid/a.zip")

    environment.setenv("ALL_PROXY", "http://127.0.0.1:9")
    seen = []

    async def proxy(request):
        seen.append((request.host, request.headers.get("Proxy-Authorization")))
        if request.host == "gitlab.invalid":
            return await redirect(request)
        return web.json_response("stored")

    async with serving(proxy) as by:
        given = by.url.replace("//", "//ada:hunter2@")
        async with aiohttp.ClientSession(proxy=given, trust_env=trust_env) as session:
            async with GitLab("http://gitlab.invalid", auth=SECRET, session=session) as gitlab:
                assert (await gitlab.send(VERSION)).json() == "stored"
    said = f"Basic {b64encode(b'ada:hunter2').decode()}"
    assert seen == [("gitlab.invalid", said), ("storage.invalid", said)]


async def test_session_without_trust_env_reads_no_proxy(environment):
    environment.setenv("ALL_PROXY", "socks5://proxy")
    async with serving(answering("directly")) as server, aiohttp.ClientSession() as session:
        async with GitLab(server.url, session=session) as gitlab:
            assert (await gitlab.send(VERSION)).json() == "directly"


async def test_trust_env_session_reads_proxies_as_ours(environment):
    async with serving(answering("directly")) as server, serving(answering("proxy")) as proxy:
        environment.setenv("http_proxy", proxy.url)
        async with aiohttp.ClientSession(trust_env=True) as session:
            async with GitLab(server.url, session=session) as gitlab:
                assert (await gitlab.send(VERSION)).json() == "proxy"
            environment.setenv("no_proxy", "127.0.0.0/8")
            async with GitLab(server.url, session=session) as gitlab:
                assert (await gitlab.send(VERSION)).json() == "directly"


# netrc


@pytest.fixture(params=["NETRC", "home"])
def netrc(request, environment, tmp_path):
    """Write a netrc with a login for every host, as for git."""
    path = tmp_path / ".netrc"
    path.write_text("machine 127.0.0.1 login me password hunter2\ndefault login me password x\n")
    path.chmod(0o600)
    environment.setenv(
        *(("NETRC", str(path)) if request.param == "NETRC" else ("HOME", str(tmp_path)))
    )


def expected_of(auth):
    if auth is None:
        return {}
    bearer = isinstance(auth, BearerToken) or getattr(auth, "via", "") == "bearer"
    if bearer:
        return {"Authorization": f"Bearer {SECRET}"}
    if isinstance(auth, JobToken):
        return {"JOB-TOKEN": SECRET} if auth.via == "header" else {}
    return {"PRIVATE-TOKEN": SECRET}


@pytest.mark.usefixtures("netrc")
@pytest.mark.parametrize("auth", [*CREDENTIALS, SECRET, None], ids=lambda auth: f"{auth!r}")
@pytest.mark.parametrize("kind", ["own", "trusting", "plain"])
@pytest.mark.parametrize("proxied", [True, False])
async def test_netrc_is_never_used(environment, auth, kind, proxied):
    def logins(request):
        names = ("Authorization", "Proxy-Authorization", "PRIVATE-TOKEN", "JOB-TOKEN")
        return {name: request.headers[name] for name in names if name in request.headers}

    async def answer(request):
        if request.path.endswith("/artifacts"):
            raise web.HTTPFound(f"http://127.0.0.1:{other.url.rpartition(':')[2]}/a.zip")
        return web.Response(body=b"PK")

    async with serving(answer) as other, serving(answer) as server, serving(answer) as proxy:
        if proxied:
            environment.setenv("ALL_PROXY", proxy.url)
        async with aiohttp.ClientSession(trust_env=kind == "trusting") as session:
            given = None if kind == "own" else session
            async with GitLab(server.url, auth=auth, session=given, retry=ONCE) as gitlab:
                async with gitlab.project(1).stream_artifacts(1) as chunks:
                    assert [chunk async for chunk in chunks] == [b"PK"]
            assert not session.closed
            assert session.trust_env == (kind == "trusting")
    asked = [*server.requests, *other.requests, *proxy.requests]
    assert [logins(request) for request in asked] == [expected_of(auth), {}]


@pytest.mark.usefixtures("netrc")
@pytest.mark.parametrize("auth", [*CREDENTIALS, None], ids=lambda auth: f"{auth!r}")
async def test_own_credentials_win_over_session_login(auth):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        login = aiohttp.BasicAuth("gateway", "open")
        session = aiohttp.ClientSession(auth=login, trust_env=True)
    async with serving(answering({})) as server, session:
        async with GitLab(server.url, auth=auth, session=session, retry=ONCE) as gitlab:
            await gitlab.send(VERSION)
        assert session.auth == login
    expected = {"Authorization": login.encode()} | expected_of(auth)
    (asked,) = server.requests
    assert {name: asked.headers[name] for name in expected} == expected


async def test_session_closed_meanwhile_warns_nothing():
    async with serving(answering({})) as server:
        session = aiohttp.ClientSession(trust_env=True)
        async with GitLab(server.url, session=session, retry=ONCE) as gitlab:
            await gitlab.send(VERSION)
            await session.close()
            with pytest.raises((ConnectionFailedError, RuntimeError)):
                await gitlab.send(VERSION)
