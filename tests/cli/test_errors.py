"""Whatever goes wrong: one line on stderr, the documented exit code, no traceback, no token."""

import socket
import subprocess

import pytest

from gitlab_jobs_async.simulator import Fault

SECRET = "glpat-very-secret"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list"], "PROJECT"),
        (["lst"], 'Did you mean "list"'),
        (["view", "group/app", "1"], "Here it is show, or watch to follow. Try --help."),
        (["list", "group/app", "--limit", "many"], "--limit"),
        (["list", "group/app", "--limit", "0"], "--limit"),
        (["list", "group/app", "--bogus", "1"], "--bogus"),
        (["list", "group/app", "--limt", "1"], "Unknown option: --limt. Did you mean --limit?"),
        (["wait", "group/app", "1", "--rev=x"], "Unknown option: --rev=x. Try --help."),
        (["list", "-R", "a/b"], "option: -R. Here it is an argument: gitlab-jobs list PROJECT."),
        (["watch", "--project", "a/b"], "--project. Here it is an argument: gitlab-jobs watch P"),
        (["failures", "--project=a/b"], "--project. Here it is an argument: gitlab-jobs failures"),
        (["simulate", "-R", "a/b"], "Unknown option: -R. Try --help."),
        (["list", "group/app", "--timeout", "1"], "Unknown option: --timeout. Try --help."),
        (["list", "group/app", "--scope", "fialed"], "unknown --scope 'fialed': expected one of"),
        (["list", "group/app", "--scope", ""], "unknown --scope '': expected one of"),
        (["list", "group/app", "--scope", "failed,"], "unknown --scope '': expected one of"),
        (["list", "--", "-5"], "without a leading dash"),
        (["play", "group/app", "4", "--variable", "K=\udcff"], "--variable 'K': expected UTF-8"),
        (["list", "group/app", "--include-retried"], "--include-retried: expected --pipeline"),
        (["list", "group/app", "group/evil", "--pipeline", "1"], "expected one PROJECT"),
        (["list", "group/app", "--pipeline", "1", "--ref", "main"], "--ref"),
        (["list", " "], "project"),
        (["list", "0"], "project"),
        (["show", "group/app", "1", "2"], "expected one JOB, not 2"),
        (["show", "group/app", "0"], "job '0'"),
        (["show", "group/app"], "expected a PROJECT in front of the JOB"),
        (["trace", "https://gitlab.example.com/a/b/-/jobs/4"], "is at gitlab.example.com, but"),
        (["show", "group/app", "-3"], ""),
        (["play", "group/app", "4", "--variable", "RELEASE"], "--variable: expected K=V"),
        (["play", "group/app", "4", "--variable", "=x"], "--variable: expected K=V"),
        (["play", "group/app", "4", "--input", "x=1", "--input", "x=2"], "expected only once"),
        (["erase", "group/app", "1"], "--yes"),
        (["artifacts", "group/app", "1", "--list", "--keep"], "one of"),
        (["artifacts", "group/app", "1", "--list", "--output", "x"], "--output"),
        (["artifacts", "group/app", "1", "--delete"], "--yes"),
        (["list", "group/app", "--url", "gitlab.example.com"], "http"),
        (["list", "group/app", "--url", "https://user:pass@example.com"], "url"),
        (["list", "group/app", "--token", ""], "token"),
        (["list", "group/app", "--token", "glpat with spaces"], "token"),
        (["list", "group/app", "--profile", "nowhere"], "unknown profile 'nowhere'"),
        (["simulate", "--port", "70000"], "--port"),
        (["simulate", "--host", "192.0.2.1"], "--host 192.0.2.1 --port 0: "),
        (["simulate", "--server-version", "14.0"], "expected 15.0 or newer"),
        (["simulate", "--server-version", "new"], "expected one such as 16.0"),
        (["demo", "--speed", "0"], "--speed"),
    ],
)
def test_invalid_usage_fails_before_any_request(signed_in, run, assert_one_line, arguments, words):
    assert_one_line(run(*arguments), 2, words)
    assert signed_in.requests == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list", "group/app", "group/missing"], "group%2Fmissing"),
        (["retry", "group/app", "4"], "403"),
        (["erase", "group/app", "2", "--yes"], "403"),
        (["artifacts", "group/app", "4"], "404"),
        (["artifacts", "group/app", "1", "--path", "no/such/file"], "404"),
    ],
)
@pytest.mark.usefixtures("signed_in")
def test_server_error_is_quoted(run, assert_one_line, arguments, words):
    assert_one_line(run(*arguments), 4, words)


def test_unknown_token_is_refused(gitlab, run, assert_one_line):
    result = run("list", "group/app", "--url", gitlab.url, "--token", SECRET)
    assert_one_line(result, 4, "401")
    assert SECRET not in result.err


@pytest.mark.parametrize("command", [["list", "group/app"], ["cancel", "group/app", "2"]])
def test_missing_token_is_named(gitlab, run, assert_one_line, command):
    result = run(*command, "--url", gitlab.url)
    assert_one_line(result, 4, f"no token was found for {gitlab.url}")
    assert "?" not in result.err


def test_invalid_token_is_not_shown(gitlab, run):
    result = run("list", "group/app", "--url", gitlab.url, "--token", f"{SECRET} \n")
    assert SECRET not in result.out + result.err


def test_html_page_fails(signed_in, run, assert_one_line):
    page = b"<html><title>Sign in</title></html>"
    signed_in.faults.add(Fault(status=200, content_type="text/html", body=page))
    assert_one_line(run("show", "group/app", 1), 3, "HTML page")


def test_server_text_cannot_drive_the_terminal(signed_in, run, assert_one_line):
    body = b'{"message":"\\u001b]0;owned\\u0007no\\n\\u009b2Jway"}'
    signed_in.faults.add(Fault(status=400, content_type="application/json", body=body))
    result = run("show", "group/app", 1)
    assert_one_line(result, 2, "HTTP 400")
    assert result.err.rstrip("\n").isprintable()


def test_refused_connection_fails(run, assert_one_line):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = run("list", "group/app", "--url", f"http://127.0.0.1:{port}", "--attempts", 1)
    assert_one_line(result, 3, str(port), "127.0.0.1")


def test_unknown_host_fails(run, assert_one_line):
    result = run("list", "group/app", "--url", "http://gitlab.invalid", "--attempts", 1)
    assert_one_line(result, 3, "gitlab.invalid")


def test_lost_connection_fails(signed_in, run, assert_one_line):
    signed_in.faults.add(Fault(reset="within", times=None))
    assert_one_line(run("show", "group/app", 1, "--attempts", 2), 3, "/jobs/1")
    assert len(signed_in.requests) == 2


@pytest.mark.usefixtures("signed_in")
def test_unwritable_output_fails(run, assert_one_line, tmp_path):
    missing = tmp_path / "no" / "such" / "folder" / "log.txt"
    assert_one_line(
        run("trace", "group/app", 1, "--output", missing), 2, f"{missing}: No such file"
    )
    assert_one_line(run("trace", "group/app", 1, "--output", tmp_path), 2, "not a directory")


@pytest.mark.usefixtures("signed_in")
def test_failed_download_keeps_the_old_file(run, tmp_path):
    kept = tmp_path / "log.txt"
    kept.write_text("before")
    assert run("trace", "group/app", 999, "--output", kept).code == 4
    assert kept.read_text() == "before"
    assert list(tmp_path.glob(".log*")) == []


@pytest.mark.usefixtures("signed_in")
def test_closed_pipe_is_a_success(world, spawn):
    world.add_finished_jobs(world.project("group/empty"), 3000)
    process = spawn("list", "group/empty", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline().startswith(b"{")
    process.stdout.close()
    assert process.wait(20) == 0
    assert process.stderr.read() == b""
