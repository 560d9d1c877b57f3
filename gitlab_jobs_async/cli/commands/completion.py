"""The command `completion`: print the script of a shell."""

from typing import Annotated, Literal

from cyclopts import Parameter

from gitlab_jobs_async.cli.completion.scripts import SCRIPTS
from gitlab_jobs_async.cli.errors import OK
from gitlab_jobs_async.cli.terminal import write


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(name="SHELL", help="The shell.")],
    /,
) -> int:
    """Print the script that a shell loads."""
    write(SCRIPTS[shell])
    return OK
