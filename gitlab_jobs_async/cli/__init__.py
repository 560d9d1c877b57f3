"""The entry point of the command `gitlab-jobs`."""

import gc
import sys
from importlib import import_module

_EXTRA = frozenset({"cyclopts", "rich", "yaml"})

_COMPLETE = "__complete"
"""The hidden command that the scripts of shells call."""

__all__ = ["main"]


def main() -> None:
    """Run the command of this process and exit with its code."""
    # A short command is mostly imports, which leave no garbage; the runner enables it again.
    gc.disable()
    if sys.argv[1:2] == [_COMPLETE]:
        import_module("gitlab_jobs_async.cli.completing").run_process(sys.argv[2:])
    try:
        code: int = import_module("gitlab_jobs_async.cli.runner").run_process(sys.argv[1:])
    except KeyboardInterrupt:  # during the import
        code = 130
    except ImportError as error:
        missing = _missing(error)
        if missing is None:
            raise
        need = f"{missing} is not installed; run: pip install 'gitlab_jobs_async[cli]'"
        sys.stderr.write(f"gitlab-jobs: {need}\n")
        code = 2
    # Else Python would collect twice while it exits.
    gc.freeze()
    sys.exit(code)


def _missing(error: BaseException | None) -> str | None:
    """Return the missing package of the extra in the causes of *error*, or None."""
    while error is not None:
        if isinstance(error, ImportError) and error.name:
            name = error.name.partition(".")[0]
            if name in _EXTRA:
                return name
        error = error.__cause__ or error.__context__
    return None
