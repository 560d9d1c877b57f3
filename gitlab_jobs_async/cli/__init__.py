"""The command `gitlab-jobs`: its entry point, and nothing else."""

import sys
from importlib import import_module

_EXTRA = frozenset({"cyclopts", "rich", "yaml"})

__all__ = ["main"]


def main() -> None:
    """Run the command line of this process and exit with its code."""
    try:
        running = import_module("gitlab_jobs_async.cli.running")
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        sys.exit(
            f"gitlab-jobs: {error.name} is not installed; run: pip install 'gitlab_jobs_async[cli]'"
        )
    sys.exit(running.run_process(sys.argv[1:]))
