"""A file of projects -> their names: one a line, `#` begins a comment. A refusal names the line."""

import re
import sys
from pathlib import Path
from typing import Final

from gitlab_jobs_async.api.parameters import project_path
from gitlab_jobs_async.cli.arguments import project_id
from gitlab_jobs_async.cli.errors import CommandError, bad_input, line_of

_COMMENT: Final = re.compile(r"(?:^|\s)#.*")
_STDIN: Final = Path("-")


def projects_of(file: Path) -> list[str]:
    """Return the projects that *file* lists, each once, in its order; a single dash stands for stdin.

    Raises:
        CommandError: it cannot be read, a line is no project, or there is none.
    """
    named = "stdin" if file == _STDIN else str(file)
    try:
        text = _content(file).decode()
    except UnicodeDecodeError as error:
        raise bad_input(f"--group {named}: it is not UTF-8") from error
    except OSError as error:
        raise bad_input(f"--group {line_of(error)}") from error
    found = dict.fromkeys(_listed(text, named))
    if not found:
        raise bad_input(f"--group {named}: there is no project in it")
    return list(found)


def _content(file: Path) -> bytes:
    if file != _STDIN:
        return file.read_bytes()
    if sys.stdin is None:
        raise bad_input("--group -: stdin is closed")
    return sys.stdin.buffer.read()


def _listed(text: str, named: str) -> list[str]:
    found: list[str] = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        name = _COMMENT.sub("", line).strip()
        if not name:
            continue
        try:
            project_path(project_id(name))
        except (ValueError, CommandError) as error:
            raise bad_input(f"--group {named}:{number}: {line_of(error)}") from error
        found.append(name)
    return found
