"""The command line's map: which command is where. A command is loaded when it is called for."""

from importlib.metadata import version
from typing import Final

from cyclopts import App, Group, Parameter

_HELP: Final = """List, follow and act on GitLab's CI jobs, across many projects at once.

The server is --url, else GITLAB_URL (or GITLAB_HOST, GL_HOST, GITLAB_URI, GITLAB_BASE_URL,
GITLAB_API_URL and the like; two that differ are refused), else in a CI job CI_SERVER_URL, else the
default of the configuration of python-gitlab or glab, else https://gitlab.com. The token is
--token, else GITLAB_TOKEN (or GITLAB_PRIVATE_TOKEN, GITLAB_OAUTH_TOKEN), else in a CI job
CI_JOB_TOKEN, else the configuration's for that server. A token found for one server is never sent
to another: that of the environment is for the server that the environment chooses, CI_JOB_TOKEN for
that of the job.

Certificates to trust and to show are those of --ca-file, --client-cert and --client-key, else what
the configuration says of the server (ssl_verify; ca_cert, client_cert, client_key,
skip_tls_verify), else SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and the CI_SERVER_TLS_
files. Proxies are those of https_proxy, http_proxy, all_proxy and no_proxy.

People get colours and tables; in a pipe the same comes as plain lines, and with --json as one JSON
object a line with GitLab's own field names.

Exit codes: 0 done; 1 it failed, or the job that was followed did; 2 bad usage, input or
configuration; 4 nothing that watch was told to watch can be reached; 130 interrupted.
"""
_LIST: Final = """The jobs of one or many projects, or of a pipeline; the newest first.

Projects are read side by side. A terminal shows a table; a pipe gets one line a job, without a
header and separated by tabs: id, project, pipeline, stage, name, status, seconds it ran, time of
creation, ref.
"""
_SHOW: Final = """One job, with all that matters about it.

A pipe gets a name, a tab and a value a line.
"""
_TRACE: Final = """A job's log as it is now.

A pipe or file gets the bytes that GitLab stores; a terminal the lines, with their colours and
without anything else that could drive it.
"""
_TAIL: Final = """Follow the logs of one or several jobs line by line until the jobs have ended.

Exit code 1 if one of them failed or was canceled. With --no-follow it ends after what is there now,
with exit code 0; so it does where no job of --pipeline is running. Ctrl-C stops it and says how to
go on from there.
"""
_WATCH: Final = """Watch many projects, or pipelines, as one stream of what their jobs do.

A terminal shows a live table. A pipe gets one line an event, separated by tabs: time, project,
pipeline, job, name, event, status, details; with --json one object. With --exec a terminal gets
those lines, too, and what the command prints between them.

It goes on until Ctrl-C or SIGTERM, with --pipeline until that has ended: exit code 1 if a job of it
failed or was canceled that must not. With --checkpoint nothing is lost between one call and the
next: it goes on where it was, also with the event whose command was interrupted.
"""
_ARTIFACTS: Final = """What a job left behind: fetch the archive or one file, list, keep, delete.

Without --list, --path, --keep or --delete the whole archive, a zip, goes to --output or the pipe.
"""
_CANCEL: Final = """Cancel a job.

It may still be canceling for a while; a finished job stays as it is.
"""
_RETRY: Final = """Run a job again: the new run is a job of its own, with a new id."""
_ERASE: Final = """Remove a finished job's log and artifacts, for ever.

It asks before; where nobody can be asked, --yes must be said.
"""
_PLAY: Final = """Start a manual or delayed job, with variables or inputs of its own."""
_DEMO: Final = """See it all on a simulated GitLab: list, watch, retry, play. Ends by itself.

Nothing is needed for it, nothing leaves this machine, nothing stays behind.
"""
_SIMULATE: Final = """Serve a simulated GitLab until Ctrl-C.

Its first lines say where it is and which token opens it, as commands for a shell. Ctrl-C and
SIGTERM end it with exit code 0.
"""
_USAGE: Final = {
    "list": "Usage: gitlab-jobs list [OPTIONS] PROJECT...",
    "tail": "Usage: gitlab-jobs tail [OPTIONS] PROJECT [JOB...]",
    "watch": "Usage: gitlab-jobs watch [OPTIONS] PROJECT...",
}
_READ: Final = Group("Look", sort_key=1)
_ACT: Final = Group("Act", sort_key=2)
_TRY: Final = Group("Try it without a GitLab", sort_key=3)
_COMMANDS: Final = (
    ("list", "commands.listing:list_jobs", _READ, _LIST),
    ("show", "commands.listing:show", _READ, _SHOW),
    ("trace", "commands.logs:trace", _READ, _TRACE),
    ("tail", "commands.logs:tail", _READ, _TAIL),
    ("watch", "commands.watch:watch", _READ, _WATCH),
    ("artifacts", "commands.artifacts:artifacts", _READ, _ARTIFACTS),
    ("cancel", "commands.actions:cancel", _ACT, _CANCEL),
    ("retry", "commands.actions:retry", _ACT, _RETRY),
    ("erase", "commands.actions:erase", _ACT, _ERASE),
    ("play", "commands.actions:play", _ACT, _PLAY),
    ("demo", "demo.command:demo", _TRY, _DEMO),
    ("simulate", "commands.simulate:simulate", _TRY, _SIMULATE),
)


def build() -> App:
    """Return the whole command line, ready to be called with arguments."""
    app = App(
        name="gitlab-jobs",
        help=_HELP,
        version=version("gitlab_jobs_async"),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
        default_parameter=Parameter(negative=(), show_default=False),
        group_commands=Group("Other", sort_key=9),
    )
    for name, home, group, words in _COMMANDS:
        usage = _USAGE.get(name)
        app.command(
            f"gitlab_jobs_async.cli.{home}", name=name, group=group, help=words, usage=usage
        )
    return app
