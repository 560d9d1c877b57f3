"""How long it takes until the client can be used, and the command has listed a page.

Fresh processes, in turns, with compiled files: a round that warms up writes them.
"""

import os
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.canned import dealt, serving
from benchmarks.measuring import Samples, children, interleaved, ratio, wall_ratio
from benchmarks.results import Row, Size, Table

AIOHTTP, USED = "`import aiohttp`", "`import gitlab_jobs_async`, and `GitLab` used"
HELP, LIST, SCRIPT = "`gitlab-jobs --help`", "`gitlab-jobs list`", "a script of python-gitlab"
COMMAND = "from gitlab_jobs_async.cli import main; main()"
CASES = {
    "python alone": "pass",
    AIOHTTP: "import aiohttp",
    "`import gitlab_jobs_async`": "import gitlab_jobs_async",
    USED: "import gitlab_jobs_async; gitlab_jobs_async.GitLab",
    HELP: f"import sys; sys.argv = ['gitlab-jobs', '--help']; {COMMAND}",
    LIST: f"import sys; sys.argv = ['gitlab-jobs', 'list', '1', '--limit', '100']; {COMMAND}",
    SCRIPT: "import gitlab, os; g = gitlab.Gitlab(os.environ['GITLAB_URL'], 'glpat-root'); "
    "[print(j.id, j.status, j.name) for j in g.projects.get(1, lazy=True).jobs.list(per_page=100)]",
    "pytest plugin": "import gitlab_jobs_async.simulator.plugin",
    "`import pytest`": "import pytest",
}
BAR, LIST_BAR, HELP_BAR = 80, 2.0, 1.2
"""Milliseconds above aiohttp, and the most of the time of the script and of `import aiohttp`."""


def run(code: str, environment: dict[str, str]) -> None:
    """Run a fresh Python with this code."""
    command = [sys.executable, "-c", code]
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)


def measure(size: Size) -> Iterator[Row | Table]:
    """Start all processes in turns."""
    with serving(dealt(1, 100)) as server:
        environment = {**os.environ, "GITLAB_URL": server.url, "GITLAB_TOKEN": "glpat-root"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        work = {name: lambda code=code: run(code, environment) for name, code in CASES.items()}
        times = interleaved(work, size.pick(15, 5, 1), clock=children)
    above_cpu = (times[USED].cpu_median - times[AIOHTTP].cpu_median) * 1000
    above_wall = (times[USED].wall_median - times[AIOHTTP].wall_median) * 1000
    least = (min(times[USED].cpu) - min(times[AIOHTTP].cpu)) * 1000
    yield Row(
        "first use of `GitLab` above `import aiohttp`",
        f"at most {BAR} ms",
        f"{above_cpu:.0f} ms",
        f"{above_wall:.0f} ms",
        above_cpu <= BAR,
        f"by the least of the rounds, to which other processes add nothing, {least:.0f} ms",
    )
    slower = ratio(times[LIST], times[SCRIPT])
    yield Row(
        "list one page with `gitlab-jobs list`, beside a script of python-gitlab",
        f"at most {LIST_BAR:g} x",
        f"{slower:.2f} x",
        f"{wall_ratio(times[LIST], times[SCRIPT]):.2f} x",
        slower <= LIST_BAR,
    )
    helped = ratio(times[HELP], times[AIOHTTP])
    yield Row(
        f"{HELP}, beside `import aiohttp`",
        f"at most {HELP_BAR:g} x",
        f"{helped:.2f} x",
        f"{wall_ratio(times[HELP], times[AIOHTTP]):.2f} x",
        helped <= HELP_BAR,
        milliseconds(times[HELP]),
    )
    rows = [
        (name, milliseconds(of), f"{of.spread:.0%}", f"{of.wall_median * 1000:.0f} ms")
        for name, of in times.items()
    ]
    yield Table("start-up", ("process", "CPU", "spread", "wall"), rows)


def milliseconds(of: Samples) -> str:
    """Return the median by CPU."""
    return f"{of.cpu_median * 1000:.0f} ms"
