"""The commands of `gitlab-jobs`; a command is imported when it is called."""

from collections.abc import Iterable
from importlib import import_module
from typing import Annotated, Final

from cyclopts import App, Group, Parameter

from gitlab_jobs_async.cli import views
from gitlab_jobs_async.cli.errors import OK, usage_error
from gitlab_jobs_async.cli.help.acting import ACTING
from gitlab_jobs_async.cli.help.command import Command, one_line_a_paragraph
from gitlab_jobs_async.cli.help.helping import COMPLETION, HELP
from gitlab_jobs_async.cli.help.overview import FURTHER, OVERVIEW, TOPICS
from gitlab_jobs_async.cli.help.reading import READING
from gitlab_jobs_async.cli.help.simulating import SIMULATING
from gitlab_jobs_async.cli.options import OPTIONS_GROUP
from gitlab_jobs_async.version import __version__

_OTHER: Final = Group("Other", sort_key=9)
_COMMANDS: Final = (
    (Group("Read", sort_key=1), READING),
    (Group("Act", sort_key=2), ACTING),
    (Group("Simulate", sort_key=3), SIMULATING),
)


def build() -> App:
    """Return the command line, to be called with arguments."""
    app = App(
        name="gitlab-jobs",
        help=one_line_a_paragraph(OVERVIEW),
        help_epilogue=FURTHER,
        # The other formats load a parser, and markdown would reflow the examples.
        help_format="plaintext",
        version=__version__,
        # Else each switch would have a --no- form, too.
        default_parameter=Parameter(negative=(), show_default=False),
        group_commands=_OTHER,
        group_parameters=OPTIONS_GROUP,
    )
    for group, commands in _COMMANDS:
        for one in commands:
            _add(app, one, group)
    for one in (HELP, COMPLETION):
        _add(app, one, _OTHER)
    return app


def _add(app: App, one: Command, group: Group) -> None:
    app.command(
        # A name instead of a function: --help imports none of the commands.
        f"gitlab_jobs_async.cli.{one.function}",
        name=one.name,
        group=group,
        help=one.description,
        help_epilogue=one.epilogue,
        usage=one.usage,
    )


def show_help(app: App, tokens: Iterable[str]) -> None:
    """Print the help of the command that *tokens* name."""
    screen = views.help_screen()
    app.help_print(list(tokens), console=screen)
    screen.print()  # cyclopts does not end the last line of plain text


def print_help(
    topic: Annotated[str | None, Parameter(name="COMMAND", help="A command, or server.")] = None,
    /,
) -> int:
    """Print the help of a command or a topic, or that of the whole command line."""
    app = build()
    names = [name for name in app if not name.startswith("-")]
    if topic in TOPICS:
        views.help_screen().print(one_line_a_paragraph(TOPICS[topic]))
    elif topic is None or topic in names:
        show_help(app, [] if topic is None else [topic])
    else:
        # Late: no other command needs it.
        close = import_module("difflib").get_close_matches(topic, [*names, *TOPICS])
        near = close or sorted([*names, *TOPICS])
        raise usage_error(f"help {topic!r}: expected one of {', '.join(near)}")
    return OK
