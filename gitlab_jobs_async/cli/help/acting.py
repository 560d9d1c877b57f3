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
    Command(
        "run",
        "commands.run:run",
        _RUN,
        "Usage: gitlab-jobs run [OPTIONS] [[PROJECT] REF]",
        examples=(
            (
                "Run main; the exit code is the pipeline's result",
                "gitlab-jobs run infra/deploy main",
            ),
            (
                "With a variable, until only a manual job is left",
                "gitlab-jobs run infra/deploy main --variable DRY_RUN=1 --until blocked",
            ),
        ),
    ),
    Command(
        "cancel",
        "commands.actions:cancel",
        _CANCEL,
        "Usage: gitlab-jobs cancel [OPTIONS] [PROJECT] (JOB... | --pipeline PIPELINE)",
        examples=(
            ("Cancel a job", "gitlab-jobs cancel infra/deploy 211"),
            ("Cancel all jobs of a pipeline", "gitlab-jobs cancel infra/deploy --pipeline 23"),
        ),
    ),
    Command(
        "retry",
        "commands.actions:retry",
        _RETRY,
        "Usage: gitlab-jobs retry [OPTIONS] [PROJECT] (JOB... | --pipeline PIPELINE)",
        examples=(
            ("Retry a job", "gitlab-jobs retry shop/payments 200"),
            ("Retry what failed in a pipeline", "gitlab-jobs retry shop/payments --pipeline 19"),
            (
                "The failed jobs only, and follow their logs",
                "gitlab-jobs retry shop/payments --pipeline 19 --failed --follow",
            ),
        ),
    ),
    Command(
        "erase",
        "commands.actions:erase",
        _ERASE,
        "Usage: gitlab-jobs erase [OPTIONS] [PROJECT] JOB...",
        examples=(
            ("Erase a job, after a question", "gitlab-jobs erase shop/payments 200"),
            ("In a script", "gitlab-jobs erase shop/payments 200 --yes"),
        ),
    ),
    Command(
        "play",
        "commands.actions:play",
        _PLAY,
        "Usage: gitlab-jobs play [OPTIONS] [PROJECT] JOB...",
        examples=(
            ("Start a manual job", "gitlab-jobs play infra/deploy 207"),
            ("With a variable", "gitlab-jobs play infra/deploy 207 --variable TARGET=production"),
        ),
    ),
)
