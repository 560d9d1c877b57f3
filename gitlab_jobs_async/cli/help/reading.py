"""The commands that read from the server; those that go on reading are in `watching`."""

from typing import Final

from gitlab_jobs_async.cli.help.command import Command
from gitlab_jobs_async.cli.help.watching import WATCHING

_LIST: Final = """List jobs of projects or of a pipeline, newest first.

Projects are read concurrently. A terminal gets a table, a pipe one tab-separated line per job: id,
project, pipeline, stage, name, status, duration in seconds, created_at in UTC, ref. --columns
selects from these and failure_reason, queued_duration, started_at, finished_at, commit, user,
runner, web_url.
"""
_SHOW: Final = """Show one job with its details, or a pipeline with its stages and jobs.

Without a JOB, it is --pipeline, else the newest pipeline of the checkout's branch. A pipe gets one
tab-separated name and value per line. For a pipeline, lines of its jobs follow: job, id, stage,
name, status, duration in seconds, failure reason. --json prints the pipeline with jobs and bridges.
"""
_PIPELINES: Final = """List the newest pipelines of projects, newest first.

A terminal gets a table, a pipe one tab-separated line per pipeline: id, project, status, ref, sha,
source, created_at in UTC. --columns selects from these and name, updated_at, web_url.
"""
_WAIT: Final = """Wait until jobs or a pipeline have ended, and exit with their result.

Without a JOB, it is --pipeline, else the newest pipeline of the checkout's branch. Exit code 1 if a
job or the pipeline failed or was canceled, or if --timeout has passed.
"""
_CONFIG: Final = """Show what this command finds here, and where: server, token, project and branch.

Sends no request. Of a token only its kind and the prefix that GitLab gives it are shown. A pipe
gets one tab-separated name and value per line.
"""
_TRACE: Final = """Print the present log of a job.

A pipe or file gets the bytes that GitLab stores. A terminal gets lines with colours; all other
control sequences are removed. With the URL of a line, as .../-/jobs/5#L120, it begins three lines
before that one.
"""
_TIMELINE: Final = """Show where the time of a pipeline goes: a waterfall of its jobs.

Each job waits for earlier jobs or for a user, is queued for a runner, and runs. The marked jobs are
the critical path, whose parts add up to the time of the whole pipeline. It leads through downstream
pipelines that a trigger job waited for; they follow their trigger jobs. The short jobs of a large
pipeline are folded, unless --all is given.

A terminal is live while the pipeline runs. A pipe gets one tab-separated line per attempt of a job:
id, project, pipeline, stage, name, status, attempt, critical or nothing, start, then the seconds of
waiting for jobs, of being held or manual, in the queue and running. --columns selects from these
(start, waiting, held, queued, running), failure_reason and web_url. --json prints one object per
pipeline. Exit code 1 only with --follow, if the pipeline failed or was canceled.

Costs three requests per pipeline, one more for each further 100 jobs, and one by GraphQL for each
100 jobs.
"""
_FAILURES: Final = """Show what failed lately by job and reason, and the failing lines.

The largest groups come first. A group is flaky if some of its jobs passed on retry. A terminal gets
the last lines of the section that failed, and marks the first that looks like an error.

A pipe gets one tab-separated line per group: jobs, those that passed on retry, project, name,
reason, time of the last, its id and URL, exit code, line of the error.

Costs, for each project, one request for each 100 failed jobs, and up to two for each pipeline with
a failed job; and one for the log of each group, which --no-logs saves. A project without failures
costs one request.
"""
_ARTIFACTS: Final = """Download, unpack, list, keep or delete the artifacts of a job.

Without an action, the whole zip archive goes to --output or stdout. --ref REF --job NAME is the job
of that name in the latest successful pipeline of REF, for the archive, --path and --unpack. --list
prints path, type and size to a pipe; --columns selects from these, name and mode.
"""
_DOCTOR: Final = """Check a server: ask it what this client assumes of GitLab, and compare.

Sends at most 20 requests, which only read. The report holds no token and, without --names, no name
of a server, user, project or group, so that it can be pasted into an issue. A pipe gets one
tab-separated line per check: name, verdict, expected, seen, consequence. --json prints one object.

Exit code 1 if an answer differs that the client relies on; 4 if the server refuses the token, or
the named project or group cannot be read.
"""

READING: Final = (
    Command(
        "list",
        "commands.listing:list_jobs",
        _LIST,
        "Usage: gitlab-jobs list [OPTIONS] [PROJECT...]",
        examples=(
            (
                "Failed jobs of two projects",
                "gitlab-jobs list shop/checkout shop/payments --scope failed",
            ),
            (
                "Slowest job of a group, with jq",
                "gitlab-jobs list --group shop --json | jq -s 'max_by(.duration // 0)'",
            ),
            (
                "All attempts of a pipeline's jobs",
                "gitlab-jobs list infra/deploy --pipeline 23 --include-retried",
            ),
        ),
    ),
    Command(
        "show",
        "commands.showing:show",
        _SHOW,
        "Usage: gitlab-jobs show [OPTIONS] [PROJECT] [JOB]",
        examples=(
            ("Why a job failed, and where", "gitlab-jobs show shop/payments 200"),
            ("A pipeline with its jobs", "gitlab-jobs show infra/deploy --pipeline latest"),
            ("Its runner only", "gitlab-jobs show shop/payments 200 --json | jq .runner"),
        ),
    ),
    Command(
        "pipelines",
        "commands.pipelines:list_pipelines",
        _PIPELINES,
        "Usage: gitlab-jobs pipelines [OPTIONS] [PROJECT...]",
        examples=(
            ("The newest ones of a branch", "gitlab-jobs pipelines shop/checkout --ref main"),
            (
                "The failed ones, in the browser",
                "gitlab-jobs pipelines shop/search --status failed --web",
            ),
        ),
    ),
    Command(
        "wait",
        "commands.waiting:wait",
        _WAIT,
        "Usage: gitlab-jobs wait [OPTIONS] [PROJECT] [JOB... | --pipeline PIPELINE]",
        examples=(
            ("Wait for a pipeline", "gitlab-jobs wait infra/deploy --pipeline 23"),
            ("For a job, at most 10 minutes", "gitlab-jobs wait shop/search 151 --timeout 600"),
        ),
    ),
    Command(
        "trace",
        "commands.logs:trace",
        _TRACE,
        "Usage: gitlab-jobs trace [OPTIONS] [PROJECT] JOB",
        examples=(
            ("The log so far", "gitlab-jobs trace shop/payments 200"),
            ("Its failed section only", "gitlab-jobs tail shop/payments 200 --log-failed"),
            ("Its bytes into a file", "gitlab-jobs trace shop/payments 200 --output job.log"),
        ),
    ),
    Command(
        "failures",
        "commands.failures:failures",
        _FAILURES,
        "Usage: gitlab-jobs failures [OPTIONS] [PROJECT...]",
        examples=(
            ("What fails most in a group", "gitlab-jobs failures --group shop --since 7d"),
            (
                "The failures of main, without logs",
                "gitlab-jobs failures platform/billing --ref main --no-logs",
            ),
        ),
    ),
    Command(
        "timeline",
        "commands.timeline:timeline",
        _TIMELINE,
        "Usage: gitlab-jobs timeline [OPTIONS] [PROJECT] [PIPELINE]",
        examples=(
            ("The newest pipeline of a project", "gitlab-jobs timeline infra/deploy"),
            (
                "A page for others to read",
                "gitlab-jobs timeline shop/payments latest --html timeline.html",
            ),
        ),
    ),
    Command(
        "artifacts",
        "commands.artifacts:artifacts",
        _ARTIFACTS,
        "Usage: gitlab-jobs artifacts [OPTIONS] [PROJECT] (JOB | --ref REF --job NAME)",
        examples=(
            (
                "The archive of a job",
                "gitlab-jobs artifacts shop/payments 17 --output artifacts.zip",
            ),
            ("One file of it", "gitlab-jobs artifacts shop/payments 17 --path reports/junit.xml"),
            ("Unpack it", "gitlab-jobs artifacts shop/payments 17 --unpack build"),
        ),
    ),
    Command(
        "config",
        "commands.configuration:config",
        _CONFIG,
        examples=(
            ("What is used in this directory", "gitlab-jobs config"),
            ("The server only, with jq", "gitlab-jobs config --json | jq -r .server"),
        ),
    ),
    Command(
        "doctor",
        "commands.doctor:doctor",
        _DOCTOR,
        examples=(
            ("Check the default server", "gitlab-jobs doctor"),
            (
                "With a project of yours, as JSON",
                "gitlab-jobs doctor --project platform/billing --json",
            ),
        ),
    ),
    *WATCHING,
)
