"""Templates of lines: text with fields in braces, such as `{project} {job}: {line}`. Pure."""

from collections.abc import Mapping
from string import Formatter
from typing import Final

from attrs import frozen

from gitlab_jobs_async.cli.errors import usage_error

FIELDS: Final = (
    "project", "job", "id", "stage", "ref", "pipeline", "time", "section", "number", "line",
)  # fmt: skip
"""Fields of a template; `time`, `section`, `number` and `line` are those of the line."""


@frozen
class LineTemplate:
    """Parts of a template, each a text and the field after it, if there is one."""

    parts: tuple[tuple[str, str | None], ...]

    def render(self, values: Mapping[str, str]) -> str:
        """Return the text with the values of its fields."""
        return "".join(text if name is None else text + values[name] for text, name in self.parts)


def parse_template(text: str) -> LineTemplate:
    r"""Return a template; `{{` and `}}` are braces, `\t` is a tab and `\n` a line break.

    A field is a plain name: neither attributes nor formats are read from it.

    Raises:
        CommandError: a brace is alone, or a field does not exist.
    """
    try:
        parsed = list(Formatter().parse(text))
    except ValueError as error:
        raise usage_error(f"--template {text!r}: {error}; for a brace, {{{{ or }}}}") from error
    parts = []
    for literal, name, spec, conversion in parsed:
        if name is not None and (name not in FIELDS or spec or conversion):
            field = name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            expected = ", ".join(f"{{{one}}}" for one in FIELDS)
            raise usage_error(f"--template: unknown field {{{field}}}: expected {expected}")
        plain = literal.replace("\\t", "\t").replace("\\n", "\n")
        parts.append((plain, name))
    return LineTemplate(tuple(parts))
