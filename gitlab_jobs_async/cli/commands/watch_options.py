"""Options of the command `watch`. Values only."""

from typing import Annotated, Literal

from attrs import frozen
from cyclopts import Parameter
from cyclopts.validators import Number

from gitlab_jobs_async.cli.options import PIPELINE_FORMS, Columns, Interval, Web


@Parameter(name="*")
@frozen(kw_only=True)
class WatchOptions:
    """Options of what to watch and to print."""

    pipeline: Annotated[
        tuple[str, ...],
        Parameter(
            metavar="PIPELINE...",
            help=f"Only this pipeline of one PROJECT, until it ends: {PIPELINE_FORMS}. Repeatable.",
        ),
    ] = ()
    logs: Annotated[bool, Parameter(help="Include the log lines of running jobs.")] = False
    downstream: Annotated[bool, Parameter(help="Include downstream pipelines.")] = False
    complete: Annotated[
        bool,
        Parameter(help="With thousands of projects: read each changed job with all its fields."),
    ] = False
    failed_only: Annotated[
        bool, Parameter(help="Only failed jobs, and events about targets and the monitor.")
    ] = False
    checkpoint: Annotated[
        str | None,
        Parameter(
            metavar="STORE",
            help="File or postgresql://… that stores the progress, so that a restart loses no "
            "event, and a second process takes over when this one ends.",
        ),
    ] = None
    shards: Annotated[
        int,
        Parameter(
            metavar="N",
            help="Parts of the projects that processes with one --checkpoint divide.",
            validator=Number(gte=1),
        ),
    ] = 1
    wait_for_projects: Annotated[
        bool,
        Parameter(help="Continue if no target is reachable, in place of exit code 4."),
    ] = False
    interval: Interval = None
    plain: Annotated[
        bool,
        Parameter(help="A live table in place of the full screen, which ends with --pipeline."),
    ] = False
    theme: Annotated[
        Literal["terminal", "dark", "light"],
        Parameter(help="Colours of the full screen: the terminal's own by default."),
    ] = "terminal"
    columns: Columns = None
    web: Web = False
    execute: Annotated[
        str | None,
        Parameter(
            name="--exec",
            metavar="COMMAND",
            help="Run this for each event with its JSON on stdin, one at a time, without a shell.",
        ),
    ] = None
