"""The commands of `gitlab-jobs` and their help; a command is imported when it is called."""

from typing import Final

from cyclopts import App, Group, Parameter

from gitlab_jobs_async.version import __version__

_HELP: Final = """List, follow and act on GitLab CI jobs across many projects.

Server: --url, else GITLAB_URL (or GITLAB_HOST, GL_HOST, GITLAB_URI, GITLAB_BASE_URL,
GITLAB_API_URL; two that differ are an error), else CI_SERVER_URL in a CI job, else the default in
the configuration of python-gitlab or glab, else https://gitlab.com.

Token: --token, else GITLAB_TOKEN (or GITLAB_PRIVATE_TOKEN, GITLAB_OAUTH_TOKEN), else CI_JOB_TOKEN
in a CI job, else the configured token of that server. A token is sent only to the server it was
found for: a token of the environment to the server of the environment, CI_JOB_TOKEN to the server
of the job.

Certificates: --ca-file, --client-cert and --client-key, else the server's configuration
(ssl_verify; ca_cert, client_cert, client_key, skip_tls_verify), else SSL_CERT_FILE,
REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and the CI_SERVER_TLS_ files. Proxies: https_proxy, http_proxy,
all_proxy and no_proxy.

A terminal gets tables and colours, a pipe plain lines. --json prints one JSON object per line with
GitLab's field names.

Exit codes: 0 success; 1 failure, also of a followed job; 2 invalid usage, input or configuration;
3 failure of the server during run; 4 no target of
watch, or the project of run, is reachable; 130 interrupted.
"""
_LIST: Final = """List jobs of projects or of a pipeline, newest first.

Projects are read concurrently. A terminal gets a table. A pipe gets one tab-separated line per job:
id, project, pipeline, stage, name, status, duration in seconds, creation time, ref.
"""
_SHOW: Final = """Show one job with its details.

A pipe gets one tab-separated name and value per line.
"""
_TRACE: Final = """Print the present log of a job.

A pipe or file gets the bytes that GitLab stores. A terminal gets lines with colours; all other
control sequences are removed.
"""
_TAIL: Final = """Follow the logs of one or more jobs until the jobs have ended.

Exit code 1 if a job failed or was canceled. With --no-follow it prints the present lines and exits
with 0, as it does if no job of --pipeline is running. Ctrl-C stops it and prints the command that
resumes.
"""
_WATCH: Final = """Watch the jobs of many projects, or of pipelines, as one stream of events.

A terminal gets a live table. A pipe gets one tab-separated line per event: time, project, pipeline,
job, name, event, status, details; with --json one object. With --exec a terminal gets lines, too.

It runs until Ctrl-C or SIGTERM; with --pipeline until the pipelines have ended, with exit code 1 if
a job failed or was canceled that is not allowed to. With --checkpoint a restart continues where the
last run stopped, also with an event whose command was interrupted.
"""
_EVENTS: Final = """Read the events that watch, exporter or a program have recorded in a store.

Runs until Ctrl-C or SIGTERM. Each group reads every event at least once, in order for each project;
the next one is read once --exec has ended. One of several processes of a group reads at a time, and
another goes on where it ends. A new group begins with the oldest event that is kept: a week for
registered groups. Columns are those of watch; --json adds the instance to the key.

Example: gitlab-jobs events --store ci.db --group bot --exec ./notify
"""
_EXPORTER: Final = """Serve metrics of the jobs of projects to Prometheus, at /metrics.

It runs until Ctrl-C or SIGTERM. With --checkpoint, counters continue after a restart, and nothing
that happened meanwhile is missing. Needs the extra telemetry.

Example: gitlab-jobs exporter --group shop --listen 127.0.0.1:9464 --checkpoint ci.db
"""
_ARTIFACTS: Final = """Download, unpack, list, keep or delete the artifacts of a job.

Without an action, the whole zip archive goes to --output or stdout. --ref REF --job NAME is the job
of that name in the latest successful pipeline of REF, for the archive, --path and --unpack.
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
_RUN: Final = """Create a pipeline for a branch or tag, and wait until it has ended.

Prints one tab-separated line per change, in the columns of watch: time, project, pipeline, job,
name, event, status, details. --json prints the pipeline and the jobs, each when it has changed.

Exit code 1 if the pipeline failed or was canceled; 2 if GitLab refuses the ref, its configuration,
the variables or the inputs; 3 if the server or the network fails; 4 if the project cannot be
reached. After Ctrl-C the pipeline continues.
"""
_PLAY: Final = """Start a manual or delayed job, with optional variables or inputs."""
_DEMO: Final = """Show listing, watching, a retry and a manual job on a simulated GitLab, then exit.

Needs no server and no token. Nothing leaves this machine. With --nodes 3, three processes monitor
the same projects with one store. One is killed every 5 seconds; the summary says what was lost.
"""
_SIMULATE: Final = """Serve a simulated GitLab until Ctrl-C or SIGTERM.

The first lines export its URL and token for a shell. Both signals end it with exit code 0.
"""
_DOCTOR: Final = """Check a server: ask it what this client assumes of GitLab, and compare.

Sends at most 20 requests, which only read. The report holds no token and, without --names, no name
of a server, user, project or group, so that it can be pasted into an issue. A pipe gets one
tab-separated line per check: name, verdict, expected, seen, consequence. --json prints one object.

Example: gitlab-jobs doctor --project group/app --group group

Exit code 1 if an answer differs that the client relies on; 4 if the server refuses the token, or
the named project or group cannot be read.
"""
_USAGE: Final = {
    "cancel": "Usage: gitlab-jobs cancel [OPTIONS] PROJECT (JOB | --pipeline ID)",
    "retry": "Usage: gitlab-jobs retry [OPTIONS] PROJECT (JOB | --pipeline ID)",
    "list": "Usage: gitlab-jobs list [OPTIONS] PROJECT...",
    "exporter": "Usage: gitlab-jobs exporter [OPTIONS] PROJECT...",
    "tail": "Usage: gitlab-jobs tail [OPTIONS] PROJECT [JOB...]",
    "watch": "Usage: gitlab-jobs watch [OPTIONS] PROJECT...",
}
_READ: Final = Group("Read", sort_key=1)
_ACT: Final = Group("Act", sort_key=2)
_TRY: Final = Group("Simulate", sort_key=3)
_COMMANDS: Final = (
    ("list", "commands.listing:list_jobs", _READ, _LIST),
    ("show", "commands.listing:show", _READ, _SHOW),
    ("trace", "commands.logs:trace", _READ, _TRACE),
    ("tail", "commands.logs:tail", _READ, _TAIL),
    ("watch", "commands.watch:watch", _READ, _WATCH),
    ("events", "commands.events:events", _READ, _EVENTS),
    ("exporter", "commands.exporter:exporter", _READ, _EXPORTER),
    ("artifacts", "commands.artifacts:artifacts", _READ, _ARTIFACTS),
    ("doctor", "commands.doctor:doctor", _READ, _DOCTOR),
    ("run", "commands.run:run", _ACT, _RUN),
    ("cancel", "commands.actions:cancel", _ACT, _CANCEL),
    ("retry", "commands.actions:retry", _ACT, _RETRY),
    ("erase", "commands.actions:erase", _ACT, _ERASE),
    ("play", "commands.actions:play", _ACT, _PLAY),
    ("demo", "demo.command:demo", _TRY, _DEMO),
    ("simulate", "commands.simulate:simulate", _TRY, _SIMULATE),
)


def build() -> App:
    """Return the command line, to be called with arguments."""
    app = App(
        name="gitlab-jobs",
        help=_HELP,
        version=__version__,
        # Else each switch would have a --no- form, too.
        default_parameter=Parameter(negative=(), show_default=False),
        group_commands=Group("Other", sort_key=9),
    )
    for name, home, group, words in _COMMANDS:
        usage = _USAGE.get(name)
        # A name instead of a function: --help imports none of the commands.
        app.command(
            f"gitlab_jobs_async.cli.{home}", name=name, group=group, help=words, usage=usage
        )
    return app
