"""The commands that simulate a server."""

from typing import Final

from gitlab_jobs_async.cli.help.command import Command

_DEMO: Final = """Show listing, watching, a retry and a manual job on a simulated GitLab, then exit.

Needs no server and no token. Nothing leaves this machine. With --nodes 3, three processes monitor
the same projects with one store. One is killed every 5 seconds; the summary says what was lost.
"""
_SIMULATE: Final = """Serve a simulated GitLab until Ctrl-C or SIGTERM.

The first lines export its URL and token for a shell. Both signals end it with exit code 0.
"""

SIMULATING: Final = (
    Command(
        "demo",
        "demo.command:demo",
        _DEMO,
        examples=(
            ("Once, at twice the speed", "gitlab-jobs demo --speed 40"),
            (
                "Three processes, of which one is killed every 5 seconds",
                "gitlab-jobs demo --nodes 3",
            ),
        ),
    ),
    Command(
        "simulate",
        "commands.simulate:simulate",
        _SIMULATE,
        examples=(
            ("Serve the demo world on a port of your choice", "gitlab-jobs simulate --port 8080"),
            (
                "Fail every third request, a thousand times",
                "gitlab-jobs simulate --fault 'status=500 every=3 times=1000'",
            ),
        ),
    ),
)
