"""The commands that go on reading, until an end or Ctrl-C."""

from typing import Final

from gitlab_jobs_async.cli.help.command import Command

_TAIL: Final = """Follow the logs of jobs: of some, of a pipeline, or of all that match a pattern.

With --jobs, --exclude, --stage, --ref, --group or --projects-from, each argument is a PROJECT. Jobs
that start later join, retries too, and the end of each is a line on stderr. It runs until Ctrl-C,
or with --pipeline until the pipeline ends or waits for a manual job.

Exit code 1 if a JOB or the pipeline failed or was canceled, and with --log-failed if any job has
failed. With --no-follow the lines of running jobs are printed, and the exit code is 0. Ctrl-C
prints the command that resumes the JOBs.
"""
_WATCH: Final = """Watch the jobs of many projects, or of pipelines, as one stream of events.

A terminal gets a full screen of pipelines, jobs and logs, with keys to retry, cancel, play and
erase: ? lists them, q quits. --plain shows a live table instead. A pipe gets one tab-separated line
per event: time in UTC, project, pipeline, job, name, event, status, details; with --json one
object. --columns selects from these and stage, ref, web_url, key. With --columns or --exec a
terminal gets lines, too.

It runs until q, Ctrl-C or SIGTERM; with --pipeline until the pipelines have ended, or q on the full
screen, with exit code 1 if a job failed or was canceled that is not allowed to. With --checkpoint a
restart continues where the last run stopped, also with an event whose command was interrupted.
"""
_EVENTS: Final = """Read the events that watch, exporter or a program have recorded in a store.

Runs until Ctrl-C or SIGTERM. Each group reads every event at least once, in order for each project;
the next one is read once --exec has ended. One of several processes of a group reads at a time, and
another goes on where it ends. A new group begins with the oldest event that is kept: a week for
registered groups. Columns are those of watch; --json has the key and the instance.
"""
_EXPORTER: Final = """Serve metrics of the jobs of projects to Prometheus, at /metrics.

It runs until Ctrl-C or SIGTERM. With --checkpoint, counters continue after a restart, and nothing
that happened meanwhile is missing. Needs the extra telemetry.
"""

WATCHING: Final = (
    Command(
        "tail",
        "commands.tail:tail",
        _TAIL,
        "Usage: gitlab-jobs tail [OPTIONS] [PROJECT] [JOB...]",
        examples=(
            ("Follow two jobs to their ends", "gitlab-jobs tail shop/payments 199 200"),
            (
                "Why a pipeline is red: the failed sections of its logs",
                "gitlab-jobs tail shop/payments --pipeline 19 --log-failed",
            ),
            (
                "All jobs of a group but the linters, with errors marked",
                "gitlab-jobs tail --group shop --exclude lint --highlight '(?i)error'",
            ),
            (
                "Lines of the last ten minutes in a form of your own",
                "gitlab-jobs tail shop/payments --jobs . --since 10m --no-follow "
                "--template '{job}: {line}'",
            ),
        ),
    ),
    Command(
        "watch",
        "commands.watch:watch",
        _WATCH,
        "Usage: gitlab-jobs watch [OPTIONS] [PROJECT...]",
        examples=(
            ("All projects of a group, until Ctrl-C", "gitlab-jobs watch --group shop"),
            (
                "One pipeline with its logs; the exit code is its result",
                "gitlab-jobs watch infra/deploy --pipeline 23 --logs",
            ),
            (
                "What watching 1,000 projects would cost",
                "gitlab-jobs watch --plan 1000 --per-minute 600",
            ),
        ),
    ),
    Command(
        "events",
        "commands.events:events",
        _EVENTS,
        examples=(
            (
                "Run a program for each event, once in a group of processes",
                "gitlab-jobs events --store ci.db --group bot --exec ./notify",
            ),
            (
                "The same events for another group, as JSON",
                "gitlab-jobs events --store ci.db --group audit --json",
            ),
        ),
    ),
    Command(
        "exporter",
        "commands.exporter:exporter",
        _EXPORTER,
        "Usage: gitlab-jobs exporter [OPTIONS] [PROJECT...]",
        examples=(
            (
                "Metrics of a group that survive a restart",
                "gitlab-jobs exporter --group shop --checkpoint ci.db",
            ),
            ("A dashboard for Grafana", "gitlab-jobs exporter --print-dashboard > dashboard.json"),
        ),
    ),
)
