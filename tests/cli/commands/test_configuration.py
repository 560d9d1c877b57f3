"""`config`: server, token, certificates, proxies and checkout with their sources, no secret."""

import json

import pytest

SECRET = "glpat-abcdefSECRET"


@pytest.fixture
def values(run):
    def read(*arguments, code=0):
        result = run("config", "--json", *arguments)
        assert result.code == code, result
        assert "SECRET" not in result.out + result.err
        return json.loads(result.out)

    return read


def test_nothing_is_the_public_server(values, run):
    found = values()
    assert found["server"] == "https://gitlab.com"
    assert found["server_source"] == "default"
    assert "token" not in found
    assert found["checkout"] == "not in a git checkout"
    assert run("config").lines[0] == "server\thttps://gitlab.com"


def test_missing_token_is_noted_on_a_terminal(run, monkeypatch):
    notes = []
    monkeypatch.setattr("gitlab_jobs_async.cli.commands.configuration.print_note", notes.append)
    assert run("config").code == 0
    assert run("config", "--token", SECRET).code == 0
    (note,) = notes
    assert "set GITLAB_TOKEN" in note


def test_environment_is_named(values, monkeypatch):
    monkeypatch.setenv("GITLAB_HOST", "gitlab.example.com")
    monkeypatch.setenv("GITLAB_TOKEN", SECRET)
    monkeypatch.setenv("https_proxy", "http://me:SECRET@proxy:3128")
    monkeypatch.setenv("NO_PROXY", ".local")
    monkeypatch.setenv("SSL_CERT_FILE", "/certs.pem")
    found = values()
    assert found["server"] == "https://gitlab.example.com"
    assert found["server_source"] == "GITLAB_HOST"
    assert (found["token"], found["token_source"]) == ("private token glpat-…", "GITLAB_TOKEN")
    assert (found["https_proxy"], found["NO_PROXY"]) == ("http://proxy:3128", ".local")
    assert found["SSL_CERT_FILE"] == "/certs.pem"
    found = values("--token", "SECRET-of-mine", "--insecure")
    assert (found["token"], found["token_source"]) == ("private token …", "--token")
    assert found["verify"] == "off (--insecure)"


def test_configuration_files_are_named(values, home):
    file = home / ".python-gitlab.cfg"
    file.touch(0o600)
    file.write_text(
        "[global]\ndefault = work\n"
        f"[work]\nurl = https://work.example.com\noauth_token = {SECRET}\n"
        "[help]\nurl = https://help.example.com\nprivate_token = helper: echo SECRET\n"
    )
    found = values()
    assert found["server_source"] == "python-gitlab's configuration"
    assert found["token"] == "OAuth token glpat-…"
    assert found["token_source"] == "[work] in python-gitlab's configuration"
    assert found["config_files"] == str(file)
    found = values("--profile", "help")
    assert found["server_source"] == "--profile help"
    assert found["token"] == "printed by a helper"
    assert found["token_source"] == "[help] in python-gitlab's configuration"


def test_checkout_is_named(values, git, monkeypatch):
    git("remote", "add", "origin", "https://x:SECRET@gitlab.com/group/app.git")
    found = values()
    assert (found["project"], found["branch"]) == ("group/app", "main")
    assert found["remote"] == "origin (gitlab.com)"
    assert "sha" not in found
    monkeypatch.setenv("GITLAB_URL", "https://other.example.com")
    assert "remote 'origin' is at gitlab.com, but" in values()["checkout"]


def test_checkout_selects_a_configured_server(values, git, home):
    git("remote", "add", "origin", "git@work.example.com:group/app.git")
    folder = home / ".config" / "glab-cli"
    folder.mkdir(parents=True)
    (folder / "config.yml").touch(0o600)
    (folder / "config.yml").write_text(
        f"host: gitlab.com\nhosts:\n  work.example.com:\n    token: {SECRET}\n"
    )
    found = values()
    assert (found["server"], found["server_source"]) == ("https://work.example.com", "checkout")
    assert found["token_source"] == "work.example.com in glab's configuration"


def test_contradiction_is_shown_after_the_rest(values, monkeypatch):
    monkeypatch.setenv("GITLAB_URL", "https://a.example.com")
    monkeypatch.setenv("GITLAB_HOST", "b.example.com")
    assert values(code=2) == {"checkout": "not in a git checkout"}
