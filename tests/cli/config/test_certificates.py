"""The command against servers of a private authority: flags, environment, both configurations."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gitlab_jobs_async import GitLab, TLSConfig
from gitlab_jobs_async.cli.config.certificates import tls_config
from gitlab_jobs_async.cli.config.files import TLSSettings
from gitlab_jobs_async.cli.config.resolution import ConfigFiles, resolve
from gitlab_jobs_async.cli.errors import CommandError
from gitlab_jobs_async.cli.options import ServerOptions
from tests.support.certificates import Certificates

JOB = {"id": 1, "name": "build", "stage": "test", "status": "success"}
PIPELINE = {"id": 9, "project_id": 1, "status": "success"}
CORP = "https://gitlab.corp.example"


# What is said of them


def tls_of(*, cfg="", glab="", url=CORP, **flags):
    known = ConfigFiles({Path("a.cfg"): cfg} if cfg else {}, {Path("c.yml"): glab} if glab else {})
    return resolve(ServerOptions(url=url, **flags), {"GITLAB_TOKEN": "t"}, known).tls


def section(value, *, everywhere=""):
    before = f"[global]\nssl_verify = {everywhere}\n" if everywhere else ""
    verify = f"ssl_verify = {value}\n" if value else ""
    return f"{before}[corp]\nurl = {CORP}/\n{verify}private_token = t\n"


def host(**values):
    lines = "".join(f"    {name}: {value}\n" for name, value in values.items())
    return f"hosts:\n  gitlab.corp.example:\n    token: t\n{lines}"


REPLACED = TLSConfig(ca_file="/ca.pem", system_store=False)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, None),
        # python-gitlab hands the path to requests, which trusts nothing beside it.
        ({"cfg": section("/ca.pem")}, REPLACED),
        ({"cfg": section("", everywhere="/ca.pem")}, REPLACED),
        ({"cfg": section("/ca.pem", everywhere="false")}, REPLACED),
        ({"cfg": section("true", everywhere="false")}, None),
        ({"cfg": section("")}, None),
        *(({"cfg": section(w)}, TLSConfig(verify=False)) for w in ("false", "0", "No", "off")),
        *(({"cfg": section(word)}, None) for word in ("true", "1", "Yes", "on")),
        # glab adds to the system's authorities.
        ({"glab": host(ca_cert="/ca.pem")}, TLSConfig(ca_file="/ca.pem")),
        (
            {"glab": host(client_cert="/c.pem", client_key="/c.key")},
            TLSConfig(client_cert="/c.pem", client_key="/c.key"),
        ),
        ({"glab": "ca_cert: /ca.pem\n" + host()}, TLSConfig(ca_file="/ca.pem")),
        ({"glab": "ca_cert: /x.pem\n" + host(ca_cert="/ca.pem")}, TLSConfig(ca_file="/ca.pem")),
        *(
            ({"glab": host(skip_tls_verify=word)}, TLSConfig(verify=False))
            for word in ("true", '"true"', "yes", '"1"')
        ),
        *(({"glab": host(skip_tls_verify=word)}, None) for word in ("false", '"no"', '""')),
        # Another server's settings are none of this one's.
        ({"cfg": section("false"), "url": "https://other.example"}, None),
        ({"cfg": section("false"), "url": f"{CORP}:8443"}, None),
        ({"glab": host(skip_tls_verify="true"), "url": "https://other.example"}, None),
        # The first that says something counts, and a broken file is ignored.
        ({"cfg": section("/ca.pem"), "glab": host(ca_cert="/x.pem")}, REPLACED),
        ({"cfg": section("true"), "glab": host(ca_cert="/x.pem")}, TLSConfig(ca_file="/x.pem")),
        ({"cfg": "[", "glab": host(ca_cert="/x.pem")}, TLSConfig(ca_file="/x.pem")),
        ({"cfg": section("/ca.pem"), "glab": "{"}, REPLACED),
        # A flag replaces what goes with it.
        ({"ca_file": Path("f.pem")}, TLSConfig(ca_file="f.pem")),
        ({"cfg": section("/ca.pem"), "ca_file": Path("f.pem")}, TLSConfig(ca_file="f.pem")),
        ({"cfg": section("false"), "ca_file": Path("f.pem")}, TLSConfig(ca_file="f.pem")),
        ({"cfg": section("/ca.pem"), "insecure": True}, TLSConfig(verify=False)),
        (
            {"glab": host(ca_cert="/ca.pem", client_cert="/c", client_key="/k"), "insecure": True},
            TLSConfig(verify=False, client_cert="/c", client_key="/k"),
        ),
        (
            {"glab": host(ca_cert="/ca.pem", client_cert="/c", client_key="/k"),
             "client_cert": Path("f.pem")},
            TLSConfig(ca_file="/ca.pem", client_cert="f.pem"),
        ),
        (
            {"client_cert": Path("f.pem"), "client_key": Path("f.key")},
            TLSConfig(client_cert="f.pem", client_key="f.key"),
        ),
    ],
)  # fmt: skip
def test_flags_and_files_select_authorities(given, expected):
    assert tls_of(**given) == expected


def test_profile_has_its_own_settings():
    files = ConfigFiles({Path("a.cfg"): section("/ca.pem")})
    assert resolve(ServerOptions(profile="corp"), {}, files).tls == REPLACED


def test_flags_that_contradict_are_refused():
    with pytest.raises(CommandError, match="--insecure and --ca-file: expected one of them"):
        tls_of(insecure=True, ca_file=Path("f.pem"))
    with pytest.raises(ValueError, match=r"^--client-key: expected a --client-cert with it"):
        tls_of(client_key=Path("f.key"))


@pytest.mark.parametrize(
    ("given", "source"),
    [
        ({"ca_file": Path("/no/ca.pem")}, "--ca-file: /no/ca.pem"),
        (
            {"cfg": section("/no/ca.pem")},
            r"ssl_verify of \[corp\] in python-gitlab's .*: /no/ca.pem",
        ),
        ({"glab": host(ca_cert="/no/x")}, "ca_cert of gitlab.corp.example in glab's .*: /no/x"),
        ({"glab": host(client_cert="/no/x")}, "client_cert of gitlab.corp.example in glab's .*"),
        ({"client_cert": Path("/no/c.pem")}, "--client-cert: /no/c.pem"),
    ],
)
def test_missing_file_names_its_source(given, source):
    with pytest.raises(ValueError, match=f"^{source}.*: No such file or directory"):
        GitLab(CORP, ssl=tls_of(**given))


def test_settings_apply_to_their_server_only():
    nothing = TLSSettings({"client_key": "/k"}, {"client_key": "client_key of x"})
    with pytest.raises(ValueError, match=r"^client_key of x: expected a client_cert with it"):
        tls_config(ServerOptions(), nothing)


# With a server


@pytest.fixture
def certificates(tmp_path):
    return Certificates(tmp_path)


@pytest.fixture
def secured(certificates):
    """The URL of a server of the private authority, which tells who showed a certificate."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            name = "known" if self.connection.getpeercert() else "unknown"
            body = json.dumps(JOB | {"name": name, "pipeline": PIPELINE}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # a client that does not trust it hangs up
    context = certificates.shown(asks=True)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def name_of(result):
    assert result.code == 0, result
    return dict(line.split("\t", 1) for line in result.lines)["name"]


@pytest.fixture
def signed_in(secured, environment):
    environment.setenv("GITLAB_URL", secured)
    environment.setenv("GITLAB_TOKEN", "t")
    return secured


@pytest.mark.usefixtures("signed_in")
def test_unknown_authority_is_one_line(run, assert_one_line):
    result = run("show", 1, 1)
    assert_one_line(result, 3, "certificate is of an unknown authority", "--ca-file")


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize(
    "variable",
    ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "CI_SERVER_TLS_CA_FILE"],
)
def test_the_environment_names_the_authority(run, certificates, environment, variable):
    environment.setenv(variable, certificates.ca)
    assert name_of(run("show", 1, 1)) == "unknown"


@pytest.mark.usefixtures("signed_in")
def test_flags_name_authority_and_certificate(run, certificates):
    trust = ("--ca-file", certificates.ca)
    assert name_of(run("show", 1, 1, *trust)) == "unknown"
    both = ("--client-cert", certificates.client_cert, "--client-key", certificates.client_key)
    assert name_of(run("show", 1, 1, *trust, *both)) == "known"


@pytest.mark.usefixtures("signed_in")
def test_insecure_accepts_any_certificate(run, caplog):
    result = run("show", 1, 1, "--insecure")
    assert name_of(result) == "unknown"
    assert "TLS certificates are not verified" in caplog.text


@pytest.mark.usefixtures("signed_in")
def test_missing_file_is_a_usage_error(run, assert_one_line):
    result = run("show", 1, 1, "--ca-file", "/no/ca.pem")
    assert_one_line(result, 2, "--ca-file: /no/ca.pem: No such file or directory")


def test_python_gitlab_configuration_is_enough(run, secured, certificates, environment):
    path = certificates.write(
        "pg.cfg",
        f"[global]\ndefault = x\n[x]\nurl = {secured}\nprivate_token = t\n"
        f"ssl_verify = {certificates.ca}\n",
    )
    environment.setenv("PYTHON_GITLAB_CFG", path)
    assert name_of(run("show", 1, 1)) == "unknown"


def test_glab_configuration_is_enough(run, secured, certificates, environment):
    where = secured.removeprefix("https://")
    certificates.write(
        "config.yml",
        f"host: {where}\nhosts:\n  {where}:\n    token: t\n    ca_cert: {certificates.ca}\n"
        f"    client_cert: {certificates.client_cert}\n"
        f"    client_key: {certificates.client_key}\n",
    )
    environment.setenv("GLAB_CONFIG_DIR", str(certificates.folder))
    assert name_of(run("show", 1, 1)) == "known"
