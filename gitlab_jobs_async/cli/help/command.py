"""A command in the help: its name, its text, and where its function is."""

from attrs import frozen


@frozen
class Command:
    """A command of `gitlab-jobs`."""

    name: str
    function: str
    """`module:function` below `gitlab_jobs_async.cli`, imported when the command is called."""

    text: str
    usage: str | None = None
    """The first line, where the one that cyclopts makes is not true."""
