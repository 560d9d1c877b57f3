"""Run every code block of the README and the guide, and check the pages themselves."""

import json
import re
import shlex
import subprocess
import sys
import time

import pytest
import yaml

import gitlab_jobs_async
from gitlab_jobs_async import simulator
from gitlab_jobs_async.cli.app import build
from gitlab_jobs_async.simulator import Simulator, demo_world
from tests.support.doc_blocks import BLOCKS, GUIDE, PAGES, ROOT, blocks
from tests.support.doc_runs import (
    NOW,
    commands,
    demo_server,
    exit_code_of,
    is_endless,
    run_line,
    run_script,
    run_snippet,
    running,
    typed,
)

SNIPPETS = [block for block in BLOCKS if block.is_snippet]
SCRIPTS = [block for block in BLOCKS if block.is_script and not block.is_sink]
SINKS = [block for block in BLOCKS if block.is_sink]
TEST_MODULES = [block for block in BLOCKS if block.is_test_module]
COMMANDS = [
    pytest.param(command, id=f"{block.name}-{command[12:40]}")
    for block in blocks("console")
    for command in commands(block)
    if not is_endless(command)
]
ENDLESS = {line for block in blocks("console") for line in commands(block) if is_endless(line)}
SERVERS = [
    line
    for block in blocks("sh")
    for line in block.code.splitlines()
    if line.startswith("gitlab-jobs simulate")
]


def named(blocks):
    return [pytest.param(block, id=block.name) for block in blocks]


@pytest.fixture
async def stepped_server(clock, environment, tmp_path):
    """The demo world, named by the environment, on a clock that only waits move."""
    environment.chdir(tmp_path)
    environment.setattr("gitlab_jobs_async.server_client.SystemClock", lambda: clock)
    clock.stepped.advance(NOW - clock.now())
    async with Simulator(demo_world(NOW), clock=clock.stepped) as simulator:
        environment.setenv("GITLAB_URL", simulator.url)
        environment.setenv("GITLAB_TOKEN", simulator.token)
        yield simulator


@pytest.fixture
def fast_server(environment, tmp_path):
    with demo_server(environment, tmp_path) as simulator:
        yield simulator


@pytest.mark.parametrize("block", named(SNIPPETS))
@pytest.mark.usefixtures("stepped_server")
async def test_snippet_runs(block):
    await run_snippet(block)


@pytest.mark.parametrize("block", named(SCRIPTS))
def test_script_has_a_result(block, fast_server, monkeypatch, capsys, tmp_path):
    results = []

    def has_result():
        written = [path for path in tmp_path.iterdir() if path.suffix == ".prom"]
        results.extend([*written, *capsys.readouterr().out.splitlines()])
        return bool(results)

    run_script(block, fast_server, monkeypatch, has_result)
    assert has_result()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.usefixtures("fast_server")
def test_command_runs(command, capfd):
    code = run_line(command)
    assert (code, capfd.readouterr().err if code == 0 else "") == (exit_code_of(command), "")


def test_endless_commands_bring_events(fast_server, tmp_path):
    program = tmp_path / "notify"
    program.write_text("#!/bin/sh\ncat >> received\n")
    program.chmod(0o700)
    received = tmp_path / "received"
    with running(ENDLESS) as processes:
        while not (received.exists() and received.stat().st_size):
            assert [process.poll() for process in processes] == [None, None]
            time.sleep(0.05)
    assert [process.wait() for process in processes] == [130, 130]
    event, _ = json.JSONDecoder().raw_decode(received.read_text())
    assert event["instance"] == fast_server.url


@pytest.mark.timeout(60)  # a pytest of its own imports all plugins again
def test_test_modules_pass(tmp_path):
    for block in TEST_MODULES:
        (tmp_path / f"test_{block.line}.py").write_text(block.code)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert f"{len(TEST_MODULES)} passed" in result.stdout, result.stdout


MYPY = ["mypy", "--strict", "--cache-dir", ".cache", "."]
UNTYPED = "[mypy]\n[mypy-aiokafka.*]\nignore_missing_imports = true\n"
PYRIGHT = ["basedpyright", "--pythonpath", sys.executable]
# Strict, but a snippet may end where it has what it shows.
PYRIGHT_RULES = {
    "typeCheckingMode": "strict",
    "reportMatchNotExhaustive": False,
    "reportUnusedFunction": False,
    "reportUnusedVariable": False,
}


@pytest.mark.timeout(60)  # each reads every library again
@pytest.mark.parametrize("checker", [MYPY, PYRIGHT], ids=["mypy", "pyright"])
@pytest.mark.no_cover("runs mypy and pyright")
def test_python_blocks_are_strictly_typed(checker, tmp_path):
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(PYRIGHT_RULES))
    (tmp_path / "mypy.ini").write_text(UNTYPED)
    # Libraries of other servers are not typed strictly enough for pyright.
    for block in [*SNIPPETS, *SCRIPTS, *(SINKS if checker is MYPY else [])]:
        name = f"{block.name}.py".replace("-", "_")
        (tmp_path / name).write_text(typed(block))
    result = subprocess.run(
        [sys.executable, "-m", *checker],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout


def test_block_languages_are_known():
    assert {block.language for block in BLOCKS} <= {"python", "sh", "console", "text", "yaml"}


@pytest.mark.parametrize("block", named(blocks("yaml")))
def test_yaml_block_runs_a_known_command(block):
    template = yaml.safe_load(block.code)["spec"]["template"]
    for container in template["spec"]["containers"]:
        program, *arguments = container["args"]
        assert program == "gitlab-jobs"
        build().parse_args(arguments, exit_on_error=False, print_error=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_fence_is_a_block(page):
    fences = re.findall(r"^\s*```", page.read_text(), re.MULTILINE)
    found = [block for block in BLOCKS if block.page == page.stem]
    assert len(fences) == 2 * len(found)


@pytest.mark.parametrize("block", named(blocks("sh")))
def test_shell_block_is_part_of_the_gate(block):
    gate = (ROOT / ".ci" / "run").read_text()
    lines = [line for line in block.code.splitlines() if line not in SERVERS]
    assert [line for line in lines if line not in gate] == []


@pytest.mark.parametrize("line", SERVERS)
def test_simulate_serves(line):
    arguments = shlex.split(line.replace("--port 8080", "--port 0"))[1:]
    command = [sys.executable, "-m", "gitlab_jobs_async.cli", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout.readline().startswith("export GITLAB_URL=http://127.0.0.1:")
        finally:
            server.terminate()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_relative_links_resolve(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        linked = page.parent / path if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked.read_text()), target


def anchors(text):
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_index_links_every_page():
    index = (GUIDE / "index.md").read_text()
    missing = [page.name for page in GUIDE.glob("*.md") if f"({page.name})" not in index]
    assert missing == ["index.md"]


@pytest.mark.parametrize("module", [gitlab_jobs_async, simulator], ids=lambda m: m.__name__)
def test_guide_mentions_every_public_name(module):
    text = "".join(page.read_text() for page in PAGES)
    names = set(module.__all__) - {"__version__"}
    assert {name for name in names if not re.search(rf"\b{name}\b", text)} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_sentences_have_at_most_25_words(page):
    long = [sentence for sentence in sentences(page.read_text()) if len(sentence.split()) > 25]
    assert long == []


def sentences(text):
    """Return the sentences of *text*; an inline code span or a link's text is at most one word."""
    text = re.sub(r"^```.*?^```$", "\n\n", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`]+`", "CODE", text)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*|#]|\d+\.) ?)|\|", text):
        yield from re.split(r"(?<=[.!?])\s+", " ".join(paragraph.split()))
