"""The commands of `gitlab-jobs`; a command is imported when it is called."""

from typing import Final

from cyclopts import App, Group, Parameter

from gitlab_jobs_async.cli.help.acting import ACTING
from gitlab_jobs_async.cli.help.overview import OVERVIEW
from gitlab_jobs_async.cli.help.reading import READING
from gitlab_jobs_async.cli.help.simulating import SIMULATING
from gitlab_jobs_async.version import __version__

_COMMANDS: Final = (
    (Group("Read", sort_key=1), READING),
    (Group("Act", sort_key=2), ACTING),
    (Group("Simulate", sort_key=3), SIMULATING),
)


def build() -> App:
    """Return the command line, to be called with arguments."""
    app = App(
        name="gitlab-jobs",
        help=OVERVIEW,
        version=__version__,
        # Else each switch would have a --no- form, too.
        default_parameter=Parameter(negative=(), show_default=False),
        group_commands=Group("Other", sort_key=9),
    )
    for group, commands in _COMMANDS:
        for one in commands:
            # A name instead of a function: --help imports none of the commands.
            home = f"gitlab_jobs_async.cli.{one.function}"
            app.command(home, name=one.name, group=group, help=one.text, usage=one.usage)
    return app
