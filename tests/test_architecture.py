"""The map of the package: every module has a floor and imports only from the floors below it."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "gitlab_jobs_async"
NAME = "gitlab_jobs_async"

FLOORS = [
    {"statuses", "targets", "version"},
    {"models"},
    {"errors"},
    {"agents", "downstream", "events", "hooks", "tailed"},
    {"sansio"},
    {"aio"},
    {"aio.clock", "aio.concurrency", "aio.tls"},
    {
        "aio.bodies",
        "aio.failures",
        "aio.oddities",
        "aio.log_turns",
        "aio.poll_slots",
        "aio.proxies",
        "aio.receiving",
        "aio.settings",
        "aio.spooling",
    },
    {"aio.attempts", "aio.reading", "aio.retrying"},
    {"aio.admission"},
    {"aio.connections"},
    {"aio.transport"},
    {"aio.listing", "aio.tailing", "aio.checkpoints", "aio.checked_rows"},
    {
        "aio.answering",
        "aio.checkpoint_file",
        "aio.pipelines",
        "aio.tailing_many",
        "aio.token_checks",
    },
    {"aio.waiting"},
    {"aio.monitored_logs", "aio.outbox"},
    {"aio.rounds"},
    {"aio.monitoring"},
    {"project_pipelines"},
    {"project"},
    {"client"},
    {"cli"},
]
TOWER = "simulator"
"""Imports nothing of the SDK, so that a misreading of GitLab cannot hide on both sides."""

KNOWS_AIOHTTP = {
    "aio.attempts", "aio.connections", "aio.failures", "aio.reading", "aio.transport",
    "client", "simulator.delivering",
    "simulator.server",
}  # fmt: skip
"""The transport, with its connections and its words for what fails on them; and the two ends."""

KNOWS_CATTRS = {"sansio.recording", "sansio.strict", "sansio.tolerant"}
MAY_LOAD_LATE = {"", "simulator", "simulator.plugin"}
PURE_MODULES = {
    "array", "attrs", "base64", "bisect", "cattrs", "collections", "contextlib", "contextvars",
    "copy", "datetime", "email", "enum", "gc", "heapq", "hmac", "html", "ipaddress", "itertools",
    "json", "math", "operator", "orjson", "re", "traceback", "types", "typing", "urllib", "zlib",
}  # fmt: skip
IMPURE_NAMES = {
    "__import__", "formatdate", "import_module", "input", "localtime", "now", "open", "print",
    "read_text", "request", "sleep", "today", "urlopen", "utcnow",
}  # fmt: skip
DOOR_TO_TIME = "aio.clock"


def module_name(path: Path) -> str:
    return (
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        .removesuffix("__init__")
        .strip(".")
    )


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}


def imported(tree: ast.AST) -> set[str]:
    """Every module a tree imports, wherever in it, with names resolved to modules of ours."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the floor"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own_imports(name: str) -> set[str]:
    """The modules of ours that *name* imports."""
    ours = {
        i.removeprefix(NAME).strip(".") for i in imported(TREES[name]) if i.split(".")[0] == NAME
    }
    exact = {module for module in ours if module in MODULES}
    return {m for m in exact if not any(other.startswith(f"{m}.") for other in exact)} - {name}


def foreign_imports(name: str) -> set[str]:
    return {module.split(".")[0] for module in imported(TREES[name])} - {NAME}


def floor_of(name: str) -> int:
    for height, rooms in enumerate(FLOORS):
        if name in rooms or (name.split(".", maxsplit=1)[0] in rooms - {"aio"}):
            return height
    raise AssertionError(f"{name} stands on no floor: give it one in FLOORS")


def in_tower(name: str) -> bool:
    return name.split(".", maxsplit=1)[0] == TOWER


SDK = [name for name in MODULES if name and not in_tower(name)]


@pytest.mark.parametrize("name", SDK)
def test_a_module_imports_only_from_floors_below_it(name):
    height, room = floor_of(name), name.split(".")[0]
    for other in own_imports(name):
        if in_tower(other):
            assert room == "cli", f"{name} knows the simulator"
        elif room in {"sansio", "cli"} and other.split(".")[0] == room:
            continue
        else:
            assert floor_of(other) < height, f"{name} imports {other}, which is not below it"


@pytest.mark.parametrize("name", [name for name in MODULES if in_tower(name)])
def test_the_simulator_imports_nothing_of_the_sdk(name):
    assert all(in_tower(other) for other in own_imports(name))


def test_no_import_is_part_of_a_cycle():
    """A module also needs the packages that it stands in; the lazy ones need nothing."""
    graph = {
        name: own_imports(name) | ({name.rpartition(".")[0]} & MODULES.keys() - MAY_LOAD_LATE)
        for name in MODULES
    }
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("name", MODULES)
def test_imports_stand_at_the_top_and_for_real(name):
    tree = TREES[name]
    assert "TYPE_CHECKING" not in ast.unparse(tree)
    if name in MAY_LOAD_LATE or name.split(".")[0] == "cli":
        return
    late = imported(tree) - imported(
        ast.Module([n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)], [])
    )
    assert not late, f"{name} imports {late} below the top"


@pytest.mark.parametrize("name", [name for name in MODULES if name.split(".")[0] == "sansio"])
def test_the_core_neither_waits_nor_reads_a_clock_nor_draws_lots(name):
    assert foreign_imports(name) <= PURE_MODULES
    for node in ast.walk(TREES[name]):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith)
        if isinstance(node, ast.Attribute | ast.Name):
            used = node.attr if isinstance(node, ast.Attribute) else node.id
            is_variable = isinstance(node, ast.Name) and used in {"now", "request"}
            assert is_variable or used not in IMPURE_NAMES, f"{name}:{node.lineno} uses {used}"


def test_the_values_are_as_pure_as_the_core():
    for name in (
        "errors",
        "events",
        "statuses",
        "models",
        "agents",
        "downstream",
        "hooks",
        "tailed",
        "targets",
        "version",
    ):
        assert foreign_imports(name) <= PURE_MODULES


@pytest.mark.parametrize("name", SDK)
def test_time_comes_through_one_door(name):
    if name == DOOR_TO_TIME or name.split(".")[0] == "cli":
        return
    assert "time" not in foreign_imports(name)
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Attribute) and node.attr == "sleep":
            assert not isinstance(node.value, ast.Name), f"{name}:{node.lineno} sleeps by itself"


@pytest.mark.parametrize("name", MODULES)
def test_only_the_edges_know_aiohttp_and_cattrs(name):
    assert name in KNOWS_AIOHTTP or "aiohttp" not in foreign_imports(name)
    assert name in KNOWS_CATTRS or "cattrs" not in foreign_imports(name)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_first_what_it_is_for(name):
    assert ast.get_docstring(TREES[name])


@pytest.mark.parametrize("room", ["sansio", "aio"])
def test_a_room_names_all_that_is_in_it(room):
    said = set(re.findall(r"\w+", ast.get_docstring(TREES[room]) or ""))
    there = {name.removeprefix(f"{room}.") for name in MODULES if name.startswith(f"{room}.")}
    assert there <= said
