"""Private authorities, client certificates, no verification, and their errors."""

import logging
import os
import shutil
import ssl
import subprocess
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from gitlab_jobs_async import (
    CertificateError,
    ConnectionFailedError,
    GitLab,
    Request,
    TLSConfig,
)
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.http.tls_context import tls_contexts, without_client_certificate
from tests.support.certificates import Certificates, shown_by_client
from tests.support.clocks import JumpClock
from tests.support.connections import open_connections
from tests.support.credentials import SECRET
from tests.support.exposure import exposed
from tests.support.servers import serving

VERSION = Request("GET", "/version")
PASSWORD = "hunter2-of-the-key"


async def ok(_request):
    return web.json_response({"ok": True})


@pytest.fixture
def certificates(tmp_path):
    return Certificates(tmp_path)


async def asked(url, **settings):
    """Return whether one request succeeds."""
    async with GitLab(url, auth=SECRET, clock=JumpClock(), **settings) as gitlab:
        return (await gitlab.send(VERSION)).json() == {"ok": True}


# Trust


async def test_a_private_authority_is_unknown_at_first(certificates):
    async with serving(ok, certificates.shown()) as server:
        clock = JumpClock()
        async with GitLab(server.url, auth=SECRET, clock=clock) as gitlab:
            with pytest.raises(CertificateError, match="of an unknown authority") as refused:
                await gitlab.send(VERSION)
            with pytest.raises(CertificateError):
                await gitlab.send(Request("POST", "/version"))
            with pytest.raises(CertificateError):
                async for _ in gitlab.project(1).tail(1):
                    pass
            assert open_connections(gitlab) == 0
    assert "SSL_CERT_FILE, TLSConfig(ca_file=...) or --ca-file" in str(refused.value)
    assert not refused.value.was_sent
    assert clock.slept == []
    assert server.requests == []
    assert isinstance(refused.value.__cause__, ssl.SSLCertVerificationError)


@pytest.mark.parametrize(
    "variable",
    [
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "CI_SERVER_TLS_CA_FILE",
    ],
)
async def test_a_variable_names_the_authority(certificates, environment, variable):
    ca = certificates.ca
    environment.setenv(variable, str(certificates.folder) if variable.endswith("DIR") else ca)
    async with serving(ok, certificates.shown()) as server:
        assert await asked(server.url)


async def test_a_bundle_may_be_a_directory(certificates, environment):
    assert certificates.ca
    environment.setenv("REQUESTS_CA_BUNDLE", str(certificates.folder))
    async with serving(ok, certificates.shown()) as server:
        assert await asked(server.url)


@pytest.fixture
def hashed(certificates):
    """Return a directory with the authority's file, named as OpenSSL expects it."""
    command = ["openssl", "x509", "-noout", "-subject_hash", "-in", certificates.ca]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    Path(certificates.ca).rename(certificates.folder / f"{said.strip()}.0")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to hash a name")
@pytest.mark.usefixtures("hashed")
async def test_hashed_directory_is_trusted(certificates):
    async with serving(ok, certificates.shown()) as server:
        assert await asked(server.url, ssl=TLSConfig(ca_dir=certificates.folder))


@pytest.mark.parametrize("field", ["ca_file", "ca_dir"])
@pytest.mark.parametrize("system_store", [True, False])
async def test_an_argument_names_the_authority(certificates, field, system_store):
    path = certificates.ca if field == "ca_file" else certificates.folder
    assert certificates.ca
    config = TLSConfig(**{field: path}, system_store=system_store)
    async with serving(ok, certificates.shown()) as server:
        assert await asked(server.url, ssl=config)


async def test_a_context_of_the_callers_is_used(certificates):
    context = ssl.create_default_context(cafile=certificates.ca)
    async with serving(ok, certificates.shown()) as server:
        assert await asked(server.url, ssl=context)
        async with aiohttp.ClientSession() as session:
            assert await asked(server.url, ssl=context, session=session)
            assert await asked(server.url, ssl=TLSConfig(ca_file=certificates.ca), session=session)


async def test_a_servers_own_certificate_may_be_trusted(certificates):
    issued = certificates.authority.issue_cert("127.0.0.1")
    path = certificates.write("server.pem", issued.cert_chain_pems[0].bytes().decode())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issued.configure_cert(context)
    async with serving(ok, context) as server:
        assert await asked(server.url, ssl=TLSConfig(ca_file=path))


async def test_callers_session_keeps_its_own_settings(certificates, environment):
    environment.setenv("SSL_CERT_FILE", "/no/such/file")
    context = ssl.create_default_context(cafile=certificates.ca)
    async with serving(ok, certificates.shown()) as server:
        connector = aiohttp.TCPConnector(ssl=context)
        async with aiohttp.ClientSession(connector=connector) as session:
            assert await asked(server.url, session=session)


async def test_another_authority_is_not_trusted(certificates, tmp_path_factory):
    other = Certificates(tmp_path_factory.mktemp("other"))
    async with serving(ok, certificates.shown()) as server:
        with pytest.raises(CertificateError, match="unknown authority"):
            await asked(server.url, ssl=TLSConfig(ca_file=other.ca))


async def test_bundles_replace_the_store_as_tools_do(certificates, environment):
    """As in requests (a bundle), OpenSSL (its file) and GitLab Runner (beside the store)."""
    environment.delenv("SSL_CERT_DIR", raising=False)
    store = Certificates(certificates.folder / "store")
    store.folder.mkdir()
    environment.setenv("SSL_CERT_FILE", store.ca)
    private = certificates.ca

    def loaded(given=None):
        server = ServerUrl.parse("https://gitlab.example")
        contexts = tls_contexts(server, os.environ, given=given, has_session=False)
        return len(contexts.own.get_ca_certs())

    # OpenSSL's variable replaces the store; any other store would be larger.
    assert loaded() == 1
    environment.setenv("CI_SERVER_TLS_CA_FILE", private)
    assert loaded() == 2
    environment.delenv("SSL_CERT_FILE")
    beside = loaded()
    environment.delenv("CI_SERVER_TLS_CA_FILE")
    environment.setenv("REQUESTS_CA_BUNDLE", private)
    assert loaded() == 1
    environment.setenv("CURL_CA_BUNDLE", store.ca)
    assert loaded() == 1
    environment.delenv("REQUESTS_CA_BUNDLE")
    environment.delenv("CURL_CA_BUNDLE")
    assert loaded(TLSConfig(ca_file=private, system_store=False)) == 1
    assert loaded(TLSConfig(ca_file=private)) == beside


async def test_a_jobs_authority_is_for_the_jobs_server(certificates, environment):
    environment.setenv("CI_SERVER_TLS_CA_FILE", certificates.ca)
    async with serving(ok, certificates.shown()) as server:
        environment.setenv("CI_SERVER_URL", server.url)
        assert await asked(server.url)
        environment.setenv("CI_SERVER_URL", "https://another.example")
        with pytest.raises(CertificateError, match="unknown authority"):
            await asked(server.url)


# Invalid certificates


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ({"expired": True}, r"certificate has expired \(certificate has expired\)"),
        ({"host": "other.example"}, "certificate is for another host .*127.0.0.1"),
    ],
)
async def test_a_wrong_certificate_says_what_is_wrong(certificates, shown, said):
    async with serving(ok, certificates.shown(**shown)) as server:
        with pytest.raises(CertificateError, match=said):
            await asked(server.url, ssl=TLSConfig(ca_file=certificates.ca))
    assert server.requests == []


def unverified():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def test_no_verification_warns_once(certificates, caplog):
    for shown in ({}, {"expired": True}, {"host": "other.example"}):
        async with serving(ok, certificates.shown(**shown)) as server:
            ignored = TLSConfig(verify=False, ca_file="/no/such/file")
            for setting in (False, TLSConfig(verify=False), ignored, unverified()):
                caplog.clear()
                async with GitLab(server.url, auth=SECRET, ssl=setting) as gitlab:
                    for _ in range(2):
                        assert (await gitlab.send(VERSION)).json() == {"ok": True}
                (warning,) = [r for r in caplog.records if r.levelno == logging.WARNING]
                assert f"between here and {server.url} can read" in warning.getMessage()


# Client certificates


async def who(request):
    return web.json_response({"ok": shown_by_client(request) is not None})


async def test_a_client_certificate_is_shown(certificates):
    cert, key, both = certificates.client_cert, certificates.client_key, certificates.client_both
    trust = {"ca_file": certificates.ca}
    async with serving(who, certificates.shown(asks=True)) as server:
        assert not await asked(server.url, ssl=TLSConfig(**trust))
        assert await asked(server.url, ssl=TLSConfig(**trust, client_cert=cert, client_key=key))
        assert await asked(server.url, ssl=TLSConfig(**trust, client_cert=both))
        unverified = TLSConfig(verify=False, client_cert=both)
        assert await asked(server.url, ssl=unverified)


async def test_job_certificate_is_for_the_jobs_server(certificates, environment):
    environment.setenv("CI_SERVER_TLS_CERT_FILE", certificates.client_cert)
    environment.setenv("CI_SERVER_TLS_KEY_FILE", certificates.client_key)
    trust = TLSConfig(ca_file=certificates.ca)
    async with serving(who, certificates.shown(asks=True)) as server:
        assert await asked(server.url, ssl=trust)
        environment.setenv("CI_SERVER_URL", f"{server.url}/api/v4")
        assert await asked(server.url, ssl=trust)
        environment.setenv("CI_SERVER_URL", "https://another.example")
        assert not await asked(server.url, ssl=trust)


def encrypted(certificates):
    key = load_pem_private_key(Path(certificates.client_key).read_bytes(), None)
    made = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD.encode())
    )
    return certificates.write("encrypted.key", made.decode())


async def test_an_encrypted_key_needs_its_password(certificates):
    files = {
        "ca_file": certificates.ca,
        "client_cert": certificates.client_cert,
        "client_key": encrypted(certificates),
    }
    config = TLSConfig(**files, client_key_password=PASSWORD)
    async with serving(who, certificates.shown(asks=True)) as server:
        assert await asked(server.url, ssl=config)
    with pytest.raises(ValueError, match=r"client_key: .*encrypted\.key: encrypted key"):
        GitLab("https://h", ssl=TLSConfig(**files))
    with pytest.raises(ValueError, match=r"client_key: .*cannot be decrypted with") as refused:
        GitLab("https://h", ssl=TLSConfig(**files, client_key_password="wrong-password"))
    assert exposed(refused.value, PASSWORD, "wrong-password") == []
    assert PASSWORD not in repr(config)


# Redirects


@pytest.mark.parametrize("given", ["config", "context", "connector", "unverified"])
async def test_storage_gets_trust_but_no_certificate(certificates, given):
    seen = {}

    async def answer(request):
        seen[request.path.rpartition("/")[2]] = shown_by_client(request) is not None
        if request.path.endswith("/artifacts"):
            raise web.HTTPFound(f"{storage.url}/a.zip")
        if request.path.endswith("/start"):
            raise web.HTTPFound("/-/page.zip")
        return web.Response(body=b"PK")

    files = {"client_cert": certificates.client_cert, "client_key": certificates.client_key}
    context = ssl.create_default_context(cafile=certificates.ca)
    context.load_cert_chain(*files.values())
    settings = {
        "config": {"ssl": TLSConfig(ca_file=certificates.ca, **files)},
        "unverified": {"ssl": TLSConfig(verify=False, **files)},
        "context": {"ssl": context},
        "connector": {},
    }[given]
    shown = certificates.shown(asks=True)
    async with serving(answer, shown) as storage, serving(answer, shown) as server:
        connector = aiohttp.TCPConnector(ssl=context) if given == "connector" else None
        async with aiohttp.ClientSession(connector=connector) as session:
            settings["session"] = session if given == "connector" else None
            async with GitLab(server.url, auth=SECRET, **settings) as gitlab:
                async with gitlab.project(1).stream_artifacts(1) as chunks:
                    assert [chunk async for chunk in chunks] == [b"PK"]
                # A page at the server's origin counts as the server.
                assert (await gitlab.send(Request("GET", "/start"))).body == b"PK"
                assert open_connections(gitlab) == 0
    assert seen == {"artifacts": True, "a.zip": False, "start": True, "page.zip": True}


def test_context_without_authorities_trusts_store(certificates, environment):
    environment.setenv("SSL_CERT_FILE", certificates.ca)
    environment.setenv("SSL_CERT_DIR", str(certificates.folder))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert len(without_client_certificate(context).get_ca_certs()) == 1
    assert without_client_certificate(unverified()).verify_mode is ssl.CERT_NONE


@pytest.mark.parametrize("given", ["config", "context"])
async def test_storage_of_another_authority_is_refused(certificates, tmp_path_factory, given):
    other = Certificates(tmp_path_factory.mktemp("other"))
    context = ssl.create_default_context(cafile=certificates.ca)
    setting = TLSConfig(ca_file=certificates.ca) if given == "config" else context

    async def answer(_request):
        raise web.HTTPFound(f"{storage.url}/a.zip?X-Amz-Signature=abc")

    async with (
        serving(ok, other.shown()) as storage,
        serving(answer, certificates.shown()) as server,
    ):
        with pytest.raises(CertificateError, match="unknown authority") as refused:
            await asked(server.url, ssl=setting)
    assert "abc" not in str(refused.value)
    assert storage.requests == []


async def test_http_server_leads_to_a_private_storage(certificates, environment):
    environment.setenv("REQUESTS_CA_BUNDLE", certificates.ca)
    async with serving(ok, certificates.shown(host="localhost")) as storage:

        async def answer(_request):
            raise web.HTTPFound(f"{storage.url.replace('127.0.0.1', 'localhost')}/a.zip")

        async with serving(answer) as server:
            assert await asked(server.url)
            environment.setenv("REQUESTS_CA_BUNDLE", "/no/such/file")
            with pytest.raises(ConnectionFailedError, match="REQUESTS_CA_BUNDLE: /no/such/file"):
                await asked(server.url)


# Unusable files


@pytest.mark.parametrize(
    "variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
                 "CI_SERVER_TLS_CA_FILE", "CI_SERVER_TLS_CERT_FILE"],
)  # fmt: skip
@pytest.mark.parametrize(
    ("text", "said"), [(None, "No such file"), ("", "PEM format"), ("garbage\n", "PEM format")]
)
def test_a_variable_with_a_bad_file_is_refused(certificates, environment, variable, text, said):
    path = certificates.folder / "bad.pem"
    if text is not None:
        path.write_text(text)
    if variable == "SSL_CERT_DIR":
        path = certificates.folder if text is not None else path
    environment.setenv(variable, str(path))
    with pytest.raises(ValueError, match=f"^{variable}: {path}: .*{said}"):
        GitLab("https://gitlab.example")
    GitLab("http://gitlab.example")


@pytest.mark.parametrize("field", ["ca_file", "ca_dir", "client_cert", "client_key"])
def test_an_argument_with_a_bad_file_is_refused(certificates, field):
    files = {"client_cert": certificates.client_cert} if field == "client_key" else {}
    for name, said in (("/no/such/file", "No such file"), ("bad.pem", "PEM format")):
        path = name if said.startswith("No") else certificates.write(name, "garbage")
        with pytest.raises(ValueError, match=said) as refused:
            GitLab("https://h", ssl=TLSConfig(**files, **{field: path}))
        assert field in str(refused.value)
        assert path in str(refused.value)


def test_a_cut_certificate_is_refused(certificates):
    whole = certificates.authority.cert_pem.bytes().decode()
    for cut in (100, len(whole) // 2, len(whole) - 30):
        path = certificates.write("cut.pem", whole[:cut])
        with pytest.raises(ValueError, match=r"ca_file: .*cut\.pem: expected certificates in PEM"):
            GitLab("https://h", ssl=TLSConfig(ca_file=path))


def test_a_key_of_another_certificate_is_refused(certificates, tmp_path_factory):
    other = Certificates(tmp_path_factory.mktemp("other"))
    config = TLSConfig(client_cert=certificates.client_cert, client_key=other.client_key)
    with pytest.raises(
        ValueError, match=r"client_key: .*: the key does not belong to .*client\.pem"
    ):
        GitLab("https://h", ssl=config)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("x", "ssl must be an ssl.SSLContext, a TLSConfig, False .no verification. or None"),
        (lambda: TLSConfig(verify="/ca.pem"), "verify must be True or False.*by ca_file"),
        (lambda: TLSConfig(client_key="k"), "client_key: expected a client_cert"),
        (lambda: TLSConfig(client_key_password="p"), "client_key_password: expected a client_cert"),
        (lambda: TLSConfig(ca_file=""), "invalid path ''"),
        (lambda: TLSConfig(ca_file=7), "expected a path as a string or os.PathLike, not int"),
        (lambda: TLSConfig(system_store=False), "system_store=False: expected a ca_file"),
    ],
)
def test_wrong_setting_is_refused(setting, said):
    with pytest.raises((TypeError, ValueError), match=said):
        GitLab("https://h", ssl=setting() if callable(setting) else setting)


def test_key_without_certificate_is_refused(environment):
    environment.setenv("CI_SERVER_TLS_KEY_FILE", "/k")
    with pytest.raises(ValueError, match="CI_SERVER_TLS_KEY_FILE: expected CI_SERVER_TLS_CERT"):
        GitLab("https://h")


def test_certificate_without_a_key_is_refused(certificates, tmp_path):
    text = Path(certificates.client_both).read_text(encoding="ascii")
    bare = tmp_path / "bare.pem"
    bare.write_text(text[text.index("-----BEGIN CERT") :], encoding="ascii")
    with pytest.raises(ValueError, match=r"expected a certificate in PEM format and its key$"):
        GitLab("https://gitlab.example", ssl=TLSConfig(client_cert=bare))
