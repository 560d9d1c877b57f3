"""Files of projects: one per line, `#` starts a comment; an error names the line."""

import re
import sys
from pathlib import Path
from typing import Final

from gitlab_jobs_async.api.parameters import project_path
from gitlab_jobs_async.cli.arguments import project_id
from gitlab_jobs_async.cli.errors import CommandError, error_line, usage_error

_COMMENT: Final = re.compile(r"(?:^|\s)#.*")
_URL: Final = re.compile(r"https?://", re.IGNORECASE)
_STDIN: Final = Path("-")


def projects_of(file: Path) -> list[str]:
    """Return the distinct projects of *file* in order; `-` is stdin.

    Raises:
        CommandError: the file is unreadable, empty, or a line is invalid.
    """
    named = "stdin" if file == _STDIN else str(file)
    try:
        text = _content(file).decode()
    except UnicodeDecodeError as error:
        raise usage_error(f"--projects-from {named}: expected UTF-8") from error
    except OSError as error:
        raise usage_error(f"--projects-from {error_line(error)}") from error
    found = dict.fromkeys(_listed(text, named))
    if not found:
        raise usage_error(f"--projects-from {named}: expected at least one project")
    return list(found)


def _content(file: Path) -> bytes:
    if file != _STDIN:
        return file.read_bytes()
    if sys.stdin is None:
        raise usage_error("--projects-from -: stdin is closed")
    return sys.stdin.buffer.read()


def _listed(text: str, named: str) -> list[str]:
    found: list[str] = []
    # Editors on Windows may begin a file with a byte order mark.
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        name = _COMMENT.sub("", line).strip()
        if not name:
            continue
        try:
            # URLs are checked where their server is chosen.
            if not _URL.match(name):
                project_path(project_id(name))
        except (ValueError, CommandError) as error:
            raise usage_error(f"--projects-from {named}:{number}: {error_line(error)}") from error
        found.append(name)
    return found
