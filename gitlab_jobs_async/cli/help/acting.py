"""The commands that change something on the server."""

from typing import Final

from gitlab_jobs_async.cli.help.command import Command

_RUN: Final = """Create a pipeline for a branch or tag, and wait until it has ended.

Prints one tab-separated line per change, in the columns of watch: time, project, pipeline, job,
name, event, status, details. --json prints the pipeline and the jobs, each when it has changed.

Exit code 1 if the pipeline failed or was canceled; 2 also if GitLab refuses the ref, its
configuration, the variables or the inputs. After Ctrl-C the pipeline continues.
"""
_CANCEL: Final = """Cancel a job, or with --pipeline the jobs of a whole pipeline.

A job may stay in canceling for a while. A finished job or pipeline does not change.
"""
_RETRY: Final = """Retry a job, or with --pipeline the failed and canceled jobs of a whole pipeline.

Each new run is a new job with a new id.
"""
_ERASE: Final = """Remove a finished job's log and artifacts permanently.

Asks for confirmation; without a terminal, --yes is required.
"""
_PLAY: Final = """Start a manual or delayed job, with optional variables or inputs."""

ACTING: Final = (
    Command("run", "commands.run:run", _RUN),
    Command(
        "cancel",
        "commands.actions:cancel",
        _CANCEL,
        "Usage: gitlab-jobs cancel [OPTIONS] PROJECT (JOB | --pipeline ID)",
    ),
    Command(
        "retry",
        "commands.actions:retry",
        _RETRY,
        "Usage: gitlab-jobs retry [OPTIONS] PROJECT (JOB | --pipeline ID)",
    ),
    Command("erase", "commands.actions:erase", _ERASE),
    Command("play", "commands.actions:play", _PLAY),
)
