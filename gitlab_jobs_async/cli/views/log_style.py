"""Options that filter and format the lines of logs. Pure."""

from typing import Annotated

import attrs
from attrs import frozen
from cyclopts import Group, Parameter

from gitlab_jobs_async.cli.options import Color

_GROUP = Group("Lines", sort_key=4)


@Parameter(name="*", group=_GROUP)
@frozen(kw_only=True)
class LogStyle:
    """Options that filter and format lines."""

    grep: Annotated[
        tuple[str, ...],
        Parameter(metavar="REGEX", help="Only lines that match this; repeatable, for one of them."),
    ] = ()
    exclude_lines: Annotated[
        tuple[str, ...],
        Parameter(metavar="REGEX", help="No lines that match this. Repeatable."),
    ] = ()
    section: Annotated[
        str | None,
        Parameter(metavar="SECTION", help="Only lines of this section and its subsections."),
    ] = None
    highlight: Annotated[
        tuple[str, ...],
        Parameter(metavar="REGEX", help="Mark what matches this, and hide nothing. Repeatable."),
    ] = ()
    timestamps: Annotated[
        bool, Parameter(help="Print the runner's UTC time of each line, if its log has it.")
    ] = False
    sections: Annotated[
        bool, Parameter(help="Print a header at the start of a section, and its duration.")
    ] = False
    template: Annotated[
        str | None,
        Parameter(
            metavar="TEXT",
            help="Print each line in this form: '{project} {job} {id}: {line}'. Others: {stage}, "
            "{ref}, {pipeline}, {time}, {section}, {number}.",
        ),
    ] = None
    color: Color = None

    def arguments(self) -> list[str]:
        """Return the options of this style as typed."""
        options: list[str] = []
        for name, value in attrs.asdict(self).items():
            option = name.replace("_", "-")
            if isinstance(value, tuple):
                options += [f"--{option}={one}" for one in value]
            elif isinstance(value, str):
                options += [f"--{option}={value}"]
            elif value is not None and (value or name == "color"):
                options += [f"--{option}" if value else f"--no-{option}"]
        return options
