"""Selection of server and token: tables over flags, environment and configuration files."""

from pathlib import Path

import pytest

from gitlab_jobs_async import BearerToken, JobToken, PrivateToken
from gitlab_jobs_async.cli.config.files import Helper
from gitlab_jobs_async.cli.config.resolution import (
    ConfigFiles,
    ResolvedServer,
    glab_paths,
    python_gitlab_paths,
    resolve,
)
from gitlab_jobs_async.cli.errors import CommandError
from gitlab_jobs_async.cli.options import ServerOptions

COM = "https://gitlab.com"
ONE = "https://one.example.com"
TWO = "https://two.example.com"
CFG = f"""
[global]
default = one
ssl_verify = true

[one]
url = {ONE}/
private_token = one-token

[two]
url = {TWO}
oauth_token = two-token

[jobs]
url = https://jobs.example.com
job_token = job-token

[bare]
url = https://bare.example.com

[helped]
url = https://helped.example.com
private_token = helper: ~/bin/secret "of one"
"""
GLAB = """
git_protocol: ssh
host: three.example.com
hosts:
    gitlab.com:
        token: com-token
        api_protocol: https
        api_host: gitlab.com
    three.example.com:
        token: !!null three-token
        api_host: api.three.example.com:8443
    plain.example.com:
        api_protocol: http
        is_oauth2: "true"
        token: plain-token
    job.example.com:
        job_token: glab-job-token
    empty.example.com:
        token: !!null
    nothing.example.com:
"""
THREE = "https://api.three.example.com:8443"
CI = {"CI_SERVER_URL": TWO, "CI_JOB_TOKEN": "ci-token"}


def files(cfg=None, glab=None):
    return ConfigFiles(
        {} if cfg is None else {Path("a.cfg"): cfg}, {} if glab is None else {Path("c.yml"): glab}
    )


BOTH = files(CFG, GLAB)
NONE = files()


@pytest.mark.parametrize(
    ("flags", "environ", "known", "address"),
    [
        # Nothing said.
        ({}, {}, NONE, ResolvedServer(COM)),
        # Flags before everything.
        ({"url": ONE, "token": "t"}, {"GITLAB_TOKEN": "e"}, BOTH, (ONE, PrivateToken("t"))),
        ({"token": "t"}, {}, NONE, (COM, PrivateToken("t"))),
        ({"token": "t"}, {"GITLAB_URL": TWO}, BOTH, (TWO, PrivateToken("t"))),
        ({"token": "t"}, {}, BOTH, (f"{ONE}/", PrivateToken("t"))),
        # The environment, as the SDK reads it.
        ({}, {"GITLAB_TOKEN": "e"}, NONE, (COM, PrivateToken("e"))),
        # Without a server of its own a token goes where the same --token would.
        ({}, {"GITLAB_TOKEN": "e"}, BOTH, (f"{ONE}/", PrivateToken("e"))),
        ({}, {"GITLAB_OAUTH_TOKEN": "e"}, files(None, GLAB), (THREE, BearerToken("e"))),
        ({}, {"CI_JOB_TOKEN": "e"}, BOTH, (f"{ONE}/", PrivateToken("one-token"))),
        ({}, {"GITLAB_URL": TWO, "GITLAB_TOKEN": "e"}, BOTH, (TWO, PrivateToken("e"))),
        ({}, {"GITLAB_URL": TWO, "GITLAB_OAUTH_TOKEN": "e"}, BOTH, (TWO, BearerToken("e"))),
        (
            {},
            {"GITLAB_HOST": "two.example.com", "GITLAB_TOKEN": "e"},
            BOTH,
            (TWO, PrivateToken("e")),
        ),
        ({}, {"GL_HOST": "two.example.com"}, BOTH, (TWO, BearerToken("two-token"))),
        (
            {},
            {"GITLAB_BASE_URL": f"{TWO}/api/v4/"},
            BOTH,
            (f"{TWO}/api/v4/", BearerToken("two-token")),
        ),
        ({"url": ONE}, {"GITLAB_HOST": TWO, "GITLAB_TOKEN": "e"}, NONE, (ONE, None)),
        (
            {},
            {"CI_SERVER_HOST": "two.example.com", "CI_JOB_TOKEN": "j"},
            NONE,
            (TWO, JobToken("j")),
        ),
        ({"url": ONE}, {"GITLAB_DOMAIN": TWO, "GITLAB_TOKEN": "e"}, NONE, (ONE, PrivateToken("e"))),
        ({}, CI, BOTH, (TWO, JobToken("ci-token"))),
        ({}, {**CI, "GITLAB_TOKEN": "e"}, BOTH, (TWO, PrivateToken("e"))),
        # A token without a server of its own goes with --url.
        ({"url": ONE}, {"GITLAB_TOKEN": "e"}, BOTH, (ONE, PrivateToken("e"))),
        # A token of another server does not.
        ({"url": ONE}, {"GITLAB_URL": TWO, "GITLAB_TOKEN": "e"}, NONE, (ONE, None)),
        ({"url": ONE}, CI, NONE, (ONE, None)),
        ({"url": ONE}, {**CI, "GITLAB_TOKEN": "e"}, NONE, (ONE, PrivateToken("e"))),
        (
            {"url": ONE},
            {"GITLAB_URL": TWO, "GITLAB_TOKEN": "e"},
            BOTH,
            (ONE, PrivateToken("one-token")),
        ),
        ({"url": f"{TWO}/api/v4"}, CI, NONE, (f"{TWO}/api/v4", JobToken("ci-token"))),
        # Same server, written differently.
        (
            {"url": f"{TWO}:443/"},
            {"GITLAB_URL": TWO, "GITLAB_TOKEN": "e"},
            NONE,
            (f"{TWO}:443/", PrivateToken("e")),
        ),
        # Another scheme, port or folder is another server.
        ({"url": "http://one.example.com"}, {}, BOTH, ("http://one.example.com", None)),
        ({"url": f"{ONE}:8443"}, {}, BOTH, (f"{ONE}:8443", None)),
        ({"url": f"{ONE}/gitlab"}, {}, BOTH, (f"{ONE}/gitlab", None)),
        ({"url": "https://one.example.com.evil.org"}, {}, BOTH, None),
        # python-gitlab's file.
        ({}, {}, BOTH, (f"{ONE}/", PrivateToken("one-token"))),
        ({}, {"GITLAB_URL": TWO}, BOTH, (TWO, BearerToken("two-token"))),
        ({"url": "https://jobs.example.com"}, {}, BOTH, (..., JobToken("job-token"))),
        ({"url": "https://bare.example.com"}, {}, BOTH, (..., None)),
        (
            {"url": "https://helped.example.com"},
            {},
            BOTH,
            (..., Helper("private_token", ("~/bin/secret", "of one"))),
        ),
        ({"profile": "two"}, {"GITLAB_TOKEN": "e"}, BOTH, (TWO, BearerToken("two-token"))),
        ({"profile": "two", "token": "t"}, {}, BOTH, (TWO, PrivateToken("t"))),
        ({"profile": "two", "url": f"{TWO}/"}, {}, BOTH, (TWO, BearerToken("two-token"))),
        # glab's file.
        ({}, {}, files(None, GLAB), (THREE, PrivateToken("three-token"))),
        ({"url": COM}, {}, BOTH, (COM, PrivateToken("com-token"))),
        ({"url": "http://plain.example.com"}, {}, BOTH, (..., BearerToken("plain-token"))),
        ({"url": "https://plain.example.com"}, {}, BOTH, (..., None)),
        ({"url": "https://job.example.com"}, {}, BOTH, (..., JobToken("glab-job-token"))),
        ({"url": "https://empty.example.com"}, {}, BOTH, (..., None)),
        ({"url": "https://nothing.example.com"}, {}, BOTH, (..., None)),
        ({"url": "https://three.example.com"}, {}, BOTH, (..., None)),
        ({}, {}, files(None, "hosts: {}\n"), (COM, None)),
        ({}, {}, files(None, "- a\n- b\n"), (COM, None)),
        ({}, {}, files(None, ""), (COM, None)),
        ({}, {}, files("[one]\nurl = https://one.example.com\n"), (COM, None)),
        # Broken files of tools that are not needed.
        ({"url": ONE, "token": "t"}, {}, files("[", "{"), (ONE, PrivateToken("t"))),
    ],
)
def test_the_server_and_its_token(flags, environ, known, address):
    found = resolve(ServerOptions(**flags), environ, known)
    if address is None:
        address = (flags["url"], None)
    url, credentials = (address.url, None) if isinstance(address, ResolvedServer) else address
    assert found == ResolvedServer(flags["url"] if url is ... else url, credentials)


SECRET = "glpat-secret"


@pytest.mark.parametrize(
    ("flags", "known", "words"),
    [
        ({}, files(f"private_token = {SECRET}\n"), "a.cfg: expected a configuration file"),
        ({}, files(f"[one]\nprivate_token {SECRET}\n"), "a.cfg: expected a configuration file"),
        (
            {},
            files(f"[one]\nurl=x\nprivate_token = %({SECRET})s\n"),
            "a.cfg: expected a configuration file",
        ),
        ({}, files(f"[one]\nurl=x\nprivate_token = helper: '{SECRET}\n"), "helper for private_to"),
        ({}, files(None, f"hosts: [{SECRET}\n"), "c.yml: expected YAML (line 2)"),
        ({}, files(None, f"hosts:\n  x:\n    token: !!python/name:{SECRET} x\n"), "c.yml"),
        ({}, files(None, f"a: {SECRET}\nb: 2001-99-99\n"), "c.yml: expected YAML"),
        ({}, files(None, f"a: {SECRET}\nb: {'1' * 5000}\n"), "c.yml: expected YAML"),
        ({}, files(None, f"a: {SECRET}\nb: {'[' * 3000}\n"), "c.yml: expected YAML"),
        ({}, files(f"[one]\nurl=x\noauth_token={SECRET} é\n"), "oauth_token of [one] in python-"),
        ({}, files(None, f"hosts:\n  x:\n    token: {SECRET} y\n"), "token of x in glab's config"),
        ({}, files(None, f"hosts:\n  x:\n    job_token: {SECRET} y\n"), "job_token of x in glab"),
        (
            {"profile": "three"},
            BOTH,
            "unknown profile 'three' of python-gitlab: expected one of bare",
        ),
        ({"profile": "one"}, NONE, "unknown profile 'one'"),
        ({"profile": "two", "url": ONE}, BOTH, "expected the server of profile 'two'"),
    ],
)
def test_invalid_file_is_refused_without_a_quote(flags, known, words):
    with pytest.raises(CommandError) as raised:
        resolve(ServerOptions(**flags), {}, known)
    assert words in str(raised.value)
    assert SECRET not in str(raised.value)
    assert raised.value.code == 2


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"GITLAB_URL": ONE, "GITLAB_HOST": TWO}, "GITLAB_URL and GITLAB_HOST name different"),
        ({"GITLAB_DOMAIN": "two.example.com"}, "GITLAB_DOMAIN seems to name another server"),
        ({"GITLAB_HOST": "ssh://git@two"}, "GITLAB_HOST: url"),
    ],
)
@pytest.mark.parametrize("known", [NONE, BOTH])
def test_server_is_never_guessed(environ, words, known):
    with pytest.raises(ValueError, match=words):
        resolve(ServerOptions(), {**environ, "GITLAB_TOKEN": "e"}, known)


@pytest.mark.parametrize(
    "text",
    [
        "host: https://g.example\nhosts:\n  https://g.example:\n    token: a-token\n",
        "host: g\nhosts:\n  g:\n    api_host: https://g.example\n    token: a-token\n",
    ],
)
def test_glabs_host_may_have_a_scheme(text):
    found = resolve(ServerOptions(), {}, files(None, text))
    assert (found.url, found.credentials) == ("https://g.example", PrivateToken("a-token"))


def test_token_with_line_break_is_not_shown():
    with pytest.raises(ValueError, match="not shown") as raised:
        resolve(ServerOptions(), {"GITLAB_TOKEN": f"{SECRET}\n"}, NONE)
    assert SECRET not in str(raised.value)


def test_no_repr_shows_a_token():
    shown = repr(BOTH.accounts()) + repr(resolve(ServerOptions(), {}, BOTH))
    assert "-token'" not in shown
    assert "one-token" not in shown
    assert "secret" not in shown
    assert SECRET not in repr(ServerOptions(token=SECRET))
    assert SECRET not in repr(files(SECRET, SECRET))


@pytest.mark.parametrize(
    ("environ", "python_gitlab", "glab"),
    [
        (
            {},
            ["/etc/python-gitlab.cfg", "/h/.python-gitlab.cfg"],
            ["/h/.config/glab-cli/config.yml", "/etc/xdg/glab-cli/config.yml"],
        ),
        (
            {"PYTHON_GITLAB_CFG": "/x/y.cfg", "GLAB_CONFIG_DIR": "/g"},
            ["/x/y.cfg"],
            ["/g/config.yml"],
        ),
        (
            {"XDG_CONFIG_HOME": "/c", "XDG_CONFIG_DIRS": "/d:/e"},
            ["/etc/python-gitlab.cfg", "/h/.python-gitlab.cfg"],
            ["/c/glab-cli/config.yml", "/d/glab-cli/config.yml", "/e/glab-cli/config.yml"],
        ),
    ],
)
def test_where_the_files_are(environ, python_gitlab, glab):
    assert [path.as_posix() for path in python_gitlab_paths(environ, Path("/h"))] == python_gitlab
    assert [path.as_posix() for path in glab_paths(environ, Path("/h"))] == glab


def test_python_gitlabs_file_is_used_for_real(gitlab, home, run):
    (home / ".python-gitlab.cfg").write_text(
        f"[global]\ndefault=sim\n[sim]\nurl={gitlab.url}\nprivate_token={gitlab.token}\n"
    )
    assert len(run("list", "group/app").lines) == 4


def test_glabs_file_is_used_for_real(gitlab, home, run):
    host = gitlab.url.removeprefix("http://")
    folder = home / ".config" / "glab-cli"
    folder.mkdir(parents=True)
    (folder / "config.yml").write_text(
        f"host: {host}\nhosts:\n  {host}:\n    api_protocol: http\n    token: {gitlab.token}\n"
    )
    assert len(run("list", "group/app").lines) == 4


@pytest.mark.parametrize(
    ("helper", "code", "words"),
    [
        ("echo glpat-root", 0, ""),
        ("sh -c 'echo glpat-root-leak >&2; exit 3'", 2, "'sh' of python-gitlab's configuration"),
        ("/no/such/program", 2, "'/no/such/program'"),
    ],
)
def test_helper_prints_the_token(gitlab, tmp_path, monkeypatch, run, helper, code, words):
    named = tmp_path / "my.cfg"
    named.write_text(f"[sim]\nurl={gitlab.url}\nprivate_token=helper: {helper}\n")
    monkeypatch.setenv("PYTHON_GITLAB_CFG", str(named))
    result = run("list", "group/app", "--profile", "sim")
    assert result.code == code
    assert words in result.err
    assert "leak" not in result.err


def test_missing_named_file_is_refused(monkeypatch, run, assert_one_line):
    monkeypatch.setenv("PYTHON_GITLAB_CFG", "/no/such/file.cfg")
    assert_one_line(run("list", "group/app"), 2, "/no/such/file.cfg")


def test_token_is_not_sent_to_another_server(gitlab, monkeypatch, run):
    monkeypatch.setenv("GITLAB_URL", "https://other.example.com")
    monkeypatch.setenv("GITLAB_TOKEN", gitlab.token)
    assert run("list", "group/app", "--url", gitlab.url).code == 4
    sent = [request.headers for request in gitlab.requests]
    assert sent
    assert not any("private-token" in headers for headers in sent)
