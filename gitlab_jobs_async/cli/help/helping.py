"""The command about the command line itself."""

from typing import Final

from gitlab_jobs_async.cli.help.command import Command

HELP: Final = Command(
    "help",
    "app:print_help",
    "Print the help of a command or a topic.",
    "Usage: gitlab-jobs help [COMMAND | server]",
    (
        ("Options and examples of a command", "gitlab-jobs help list"),
        ("Where server, token and certificates are found", "gitlab-jobs help server"),
    ),
)
