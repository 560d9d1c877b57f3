"""What importing the client costs beyond importing aiohttp; the bar is 80 ms.

Fresh processes, by turns, so that a slow moment of the machine touches all alike.
"""

import statistics
import subprocess
import sys
import time

ROUNDS = 15
CASES = {
    "python alone": "pass",
    "import aiohttp": "import aiohttp",
    "import gitlab_jobs_async": "import gitlab_jobs_async",
    "… and GitLab used": "import gitlab_jobs_async; gitlab_jobs_async.GitLab",
    "gitlab-jobs --help": "import sys; from gitlab_jobs_async.cli import main; "
    "sys.argv = ['gitlab-jobs', '--help']; main()",
    "pytest plugin": "import gitlab_jobs_async.simulator.plugin",
    "pytest alone": "import pytest",
}


def main() -> None:
    """Print the medians in milliseconds."""
    taken: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(ROUNDS):
        for name, code in CASES.items():
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False)
            taken[name].append(time.perf_counter() - begun)
    medians = {name: statistics.median(times) * 1000 for name, times in taken.items()}
    for name, milliseconds in medians.items():
        print(f"{name:26} {milliseconds:6.0f} ms")
    above = medians["… and GitLab used"] - medians["import aiohttp"]
    print(f"the client above aiohttp   {above:6.0f} ms (bar: 80)")


if __name__ == "__main__":
    main()
