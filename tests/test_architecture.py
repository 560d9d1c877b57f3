"""Check the import contracts of `pyproject.toml`, and that pure modules stay pure."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "gitlab_jobs_async"

IO_MODULES = {
    "__init__", "artifacts.download", "artifacts.extraction", "artifacts.files",
    "artifacts.placement", "artifacts.unpack",
    "client", "clock", "concurrency", "group", "jobs_client", "project",
    "project_artifacts", "project_files",
    "project_pipeline_actions", "project_pipelines", "server_client",
    "api.decode_warnings", "failures.fetch", "http.attempts", "http.body", "http.call_scopes",
    "http.calls", "http.connections",
    "http.credential_source", "http.error_mapping",
    "http.exchange", "http.graphql", "http.hook_observer", "http.observer",
    "http.proxies", "http.retries", "http.tls_context",
    "http.transport", "listing.fetch", "logs.attempts", "logs.follow", "logs.merge",
    "logs.poll_queue", "logs.spool",
    "monitor.fetch", "monitor.groups", "monitor.hints.ask", "monitor.job_logs", "monitor.monitor",
    "monitor.poller",
    "monitor.questions",
    "monitor.token_check", "monitor.checkpoint.outbox", "monitor.checkpoint.sqlite",
    "monitor.checkpoint.sqlite_file",
    "pipelines.fetch", "pipelines.lookup", "pipelines.wait", "polling.attempts", "polling.sources",
    "polling.statuses",
    "ratelimit.limiter",

    "telemetry.job_metrics", "telemetry.metrics_file", "telemetry.pipeline_checks",
    "telemetry.tracing",
    "webhooks.receive", "cli.__init__", "cli.__main__", "cli.app", "cli.event_command",
    "cli.log_writer", "cli.options", "cli.output", "cli.output_files", "cli.runner",
    "cli.signals",
    "cli.closed_pipe", "cli.terminal", "cli.commands.actions", "cli.commands.artifacts",
    "cli.commands.doctor", "cli.commands.exporter",
    "cli.metrics_server", "cli.commands.listing",
    "cli.commands.logs", "cli.commands.plan", "cli.commands.run", "cli.commands.simulate",
    "cli.commands.watch",
    "cli.config.client", "cli.config.files", "cli.config.glab",
    "cli.config.permissions", "cli.config.project_files",
    "cli.config.resolution", "cli.demo.command", "cli.demo.observed", "cli.demo.screen",
    "cli.demo.steps", "cli.doctor.probe", "cli.views.live", "cli.views.screen",
}  # fmt: skip
"""Modules that may await, read a clock, draw lots or touch the machine. All others are pure."""

PURE_IMPORTS = {
    "abc", "array", "attrs", "base64", "bisect", "cattrs", "collections", "contextlib", "difflib",
    "contextvars", "copy", "cyclopts", "datetime", "email", "enum", "gc", "hashlib", "heapq",
    "hmac", "html", "inspect", "ipaddress",
    "itertools", "json", "locale", "math", "msgspec", "operator", "orjson", "re", "rich", "struct",
    "traceback", "types", "typing", "unicodedata", "urllib", "yaml", "zlib", "configparser",
    "typing_extensions", "string", "textwrap", "functools", "lazy_loader", "shlex",
}  # fmt: skip
IMPURE_NAMES = {
    "__import__", "formatdate", "import_module", "input", "localtime", "now", "open", "print",
    "read_text", "sleep", "today", "urlopen", "utcnow",
}  # fmt: skip


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


TREES = {
    module_name(path): ast.parse(path.read_text())
    for path in sorted(PACKAGE.rglob("*.py"))
    if "simulator" not in path.parts
}
PURE_MODULES = sorted(TREES.keys() - IO_MODULES)
PUBLIC_NAMES = set(re.findall(r" as (\w+)", (PACKAGE / "__init__.pyi").read_text()))


def imported(tree: ast.AST) -> set[str]:
    modules = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    return modules | {
        node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
    }


def test_import_contracts_are_kept():
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_io_modules_exist():
    assert TREES.keys() >= IO_MODULES


def test_architecture_page_draws_the_floors():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    floors = project["tool"]["importlinter"]["contracts"][0]["layers"]
    page = (PACKAGE / "guide" / "architecture.md").read_text()
    drawn = re.findall(r"│ ([a-z_]+) ", page.partition("```text")[2].partition("```")[0])
    rooms = [room.strip() for floor in floors for room in floor.split("|")]
    assert [name for name in drawn if name in rooms] == rooms, "update guide/architecture.md"


def test_architecture_page_lists_io_modules():
    page = (PACKAGE / "guide" / "architecture.md").read_text()
    table = page.partition("## I/O modules")[2].partition("##")[0]
    listed = set(re.findall(r"`([a-z_.]+)`", re.sub(r"^\|[^|]*\|", "", table, flags=re.M)))
    library = {name for name in IO_MODULES if not name.startswith("cli.")} - {"__init__"}
    assert listed - {"cli", "tests"} == library, "update guide/architecture.md"


@pytest.mark.parametrize("name", PURE_MODULES)
def test_pure_module_has_no_effects(name):
    foreign = {module.split(".")[0] for module in imported(TREES[name])} - {"gitlab_jobs_async"}
    assert foreign <= PURE_IMPORTS
    assert "gitlab_jobs_async.clock" not in imported(TREES[name])
    is_protocol = name == "monitor.checkpoint.protocol"
    for node in ast.walk(TREES[name]):
        assert not isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith)
        assert is_protocol or not isinstance(node, ast.AsyncFunctionDef)
        if isinstance(node, ast.Attribute | ast.Name):
            used = node.attr if isinstance(node, ast.Attribute) else node.id
            is_variable = isinstance(node, ast.Name) and used == "now"
            assert is_variable or used not in IMPURE_NAMES, f"{name}:{node.lineno} uses {used}"


@pytest.mark.parametrize("name", TREES)
def test_imports_stand_at_the_top(name):
    assert "TYPE_CHECKING" not in ast.unparse(TREES[name])
    if name == "__init__" or name.startswith("cli."):
        return  # public names and commands are loaded late
    top = [node for node in TREES[name].body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert imported(TREES[name]) == imported(ast.Module(top, []))


@pytest.mark.parametrize("name", TREES)
def test_time_and_chance_come_from_the_clock(name):
    if name == "clock" or name.startswith("cli."):
        return
    assert not {"time", "random"} & imported(TREES[name])
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Attribute) and node.attr == "sleep":
            assert ast.unparse(node.value) not in {"asyncio", "time"}, f"{name}:{node.lineno}"


@pytest.mark.parametrize("name", TREES)
def test_module_has_a_docstring(name):
    assert ast.get_docstring(TREES[name])


@pytest.mark.parametrize("name", TREES)
def test_class_without_equality_has_no_repr(name):
    """Only public ones are printed, and attrs compiles each method while it is imported."""
    classes = [node for node in ast.walk(TREES[name]) if isinstance(node, ast.ClassDef)]
    plain = {node.name for node in classes if "@define(eq=False)" in ast.unparse(node)}
    assert plain <= PUBLIC_NAMES
