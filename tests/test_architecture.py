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
    "client", "clock", "concurrency", "consumers", "group", "jobs_client", "project",
    "project_artifacts", "project_files",
    "project_pipeline_actions", "project_pipelines", "server_client",
    "api.decode_warnings", "failures.fetch", "http.attempts", "http.body", "http.call_scopes",
    "http.calls", "http.connections",
    "http.credential_source", "http.error_mapping",
    "http.exchange", "http.graphql", "http.hook_observer", "http.observer",
    "http.proxies", "http.retries", "http.tls_context",
    "http.transport", "listing.fetch", "logs.attempts", "logs.follow", "logs.merge",
    "logs.poll_queue", "logs.spool",
    "monitor.due_polls", "monitor.fetch", "monitor.groups", "monitor.hints.ask",
    "monitor.job_logs", "monitor.monitor", "monitor.poller",
    "monitor.questions",
    "monitor.token_check", "monitor.checkpoint.outbox", "monitor.checkpoint.shard_record",
    "monitor.held_shards", "monitor.hook_relay", "monitor.shard", "monitor.shard_leases",
    "pipelines.fetch", "pipelines.lookup", "pipelines.timeline_fetch",
    "pipelines.timeline_follow", "pipelines.wait",
    "polling.attempts", "polling.sources", "polling.statuses",
    "ratelimit.limiter", "ratelimit.pause_reports", "ratelimit.permits", "ratelimit.renewals",
    "ratelimit.shared_grants",
    "store.legacy", "store.memory", "store.named", "store.postgres",
    "store.postgres_transactions", "store.protocol", "store.shard_locks", "store.sql_store",
    "store.sqlite", "store.sqlite_file", "store.sqlite_transactions",

    "telemetry.job_metrics", "telemetry.metrics_file", "telemetry.pipeline_checks",
    "telemetry.gauges", "telemetry.otel_metrics", "telemetry.tracing",
    "webhooks.receive", "cli.__init__", "cli.__main__", "cli.app", "cli.event_command",
    "cli.log_writer", "cli.options", "cli.output", "cli.output_files", "cli.runner",
    "cli.pager", "cli.progress", "cli.views.streamed",
    "cli.signals", "cli.completing", "cli.grammar_of_app", "cli.commands.completion",
    "cli.completion.cache", "cli.completion.names",
    "cli.closed_pipe", "cli.terminal", "cli.commands.actions", "cli.commands.artifacts",
    "cli.commands.doctor", "cli.commands.events", "cli.commands.exporter",
    "cli.metrics_server", "cli.commands.listing",
    "cli.commands.logs", "cli.commands.plan", "cli.commands.run", "cli.commands.simulate",
    "cli.commands.tail", "cli.commands.tail_options", "cli.commands.watch",
    "cli.commands.watch_events",
    "cli.commands.configuration",
    "cli.commands.following",
    "cli.commands.pipelines", "cli.commands.showing", "cli.commands.waiting",
    "cli.pipeline_writer", "cli.web_page",
    "cli.config.client", "cli.config.glab", "cli.config.python_gitlab",
    "cli.config.permissions", "cli.config.missing_names", "cli.config.project_files",
    "cli.config.resolution", "cli.demo.command", "cli.demo.node", "cli.demo.node_process",
    "cli.demo.nodes", "cli.demo.observed", "cli.demo.screen", "cli.demo.steps", "cli.doctor.probe",
    "cli.finding.checkout", "cli.finding.location", "cli.finding.resolve",
    "cli.commands.watch_options", "cli.commands.artifact_options",
    "cli.fullscreen.acting_screen", "cli.fullscreen.actions",
    "cli.fullscreen.app", "cli.fullscreen.browser",
    "cli.fullscreen.connection", "cli.fullscreen.dialogs", "cli.fullscreen.feed",
    "cli.fullscreen.line_list", "cli.fullscreen.list_screen", "cli.fullscreen.log_reader",
    "cli.fullscreen.log_screen",
    "cli.fullscreen.run", "cli.fullscreen.session", "cli.log_capture",
    "cli.fullscreen.listings",
    "cli.suspension",
    "cli.fullscreen.themes",
    "cli.fullscreen.tree_screen",
    "cli.named_projects",
    "cli.patterns", "cli.tail.failed", "cli.tail.follow", "cli.tail.outages", "cli.tail.present",
    "cli.tail.printer", "cli.commands.failures", "cli.commands.timeline", "cli.waterfall.live",
    "cli.views.live", "cli.views.screen",
}  # fmt: skip
"""Modules that may await, read a clock, draw lots or touch the machine. All others are pure."""

PURE_IMPORTS = {
    "abc", "array", "attrs", "base64", "bisect", "cattrs", "collections", "contextlib", "difflib",
    "contextvars", "copy", "cyclopts", "datetime", "email", "enum", "errno", "gc", "hashlib",
    "heapq", "hmac", "html", "inspect", "ipaddress",
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


def path_of(name: str) -> str:
    return f"{name.replace('.', '/')}.py"


TREES = {
    module_name(path): ast.parse(path.read_text())
    for path in sorted(PACKAGE.rglob("*.py"))
    if "simulator" not in path.parts
}
ROOMS = {
    room: {name for name in TREES if name.partition(".")[0] == room}
    for room in sorted({name.partition(".")[0] for name in TREES})
}
"""The modules of each room; a test for each module would take twice the time."""

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


@pytest.mark.parametrize("room", ROOMS)
def test_pure_module_has_no_effects(room):
    for name in sorted(ROOMS[room] - IO_MODULES):
        foreign = {module.split(".")[0] for module in imported(TREES[name])}
        assert foreign <= PURE_IMPORTS | {"gitlab_jobs_async"}, name
        assert "gitlab_jobs_async.clock" not in imported(TREES[name]), name
        for node in ast.walk(TREES[name]):
            check_purity(name, node)


def check_purity(name, node):
    where = f"{name}:{getattr(node, 'lineno', 0)}"
    is_protocol = name == "monitor.checkpoint.protocol"
    assert not isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith), where
    assert is_protocol or not isinstance(node, ast.AsyncFunctionDef), where
    if isinstance(node, ast.Attribute | ast.Name):
        used = node.attr if isinstance(node, ast.Attribute) else node.id
        is_variable = isinstance(node, ast.Name) and used == "now"
        assert is_variable or used not in IMPURE_NAMES, f"{where} uses {used}"


@pytest.mark.parametrize("room", ROOMS)
def test_imports_stand_at_the_top(room):
    for name in ROOMS[room]:
        tree = TREES[name]
        assert "TYPE_CHECKING" not in (PACKAGE / path_of(name)).read_text(), name
        if name == "__init__" or name.startswith("cli."):
            continue  # public names and commands are loaded late
        top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        assert imported(tree) == imported(ast.Module(top, [])), name


@pytest.mark.parametrize("room", sorted(ROOMS.keys() - {"clock", "cli"}))
def test_time_and_chance_come_from_the_clock(room):
    for name in ROOMS[room]:
        assert not {"time", "random"} & imported(TREES[name]), name
        for node in ast.walk(TREES[name]):
            if isinstance(node, ast.Attribute) and node.attr == "sleep":
                assert ast.unparse(node.value) not in {"asyncio", "time"}, f"{name}:{node.lineno}"


def test_each_module_has_a_docstring():
    assert [name for name, tree in TREES.items() if not ast.get_docstring(tree)] == []


@pytest.mark.parametrize("room", ROOMS)
def test_class_without_equality_has_no_repr(room):
    """Only public ones are printed, and attrs compiles each method while it is imported."""
    for name in ROOMS[room]:
        classes = [node for node in ast.walk(TREES[name]) if isinstance(node, ast.ClassDef)]
        decorated = {node.name: list(map(ast.unparse, node.decorator_list)) for node in classes}
        plain = {one for one, lines in decorated.items() if "define(eq=False)" in lines}
        assert plain <= PUBLIC_NAMES, name
