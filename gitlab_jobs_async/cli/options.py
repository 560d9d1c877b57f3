"""Options that several commands share. Values only, so that `--help` is fast."""

from math import inf
from pathlib import Path
from typing import Annotated

from attrs import field, frozen
from cyclopts import Group, Parameter
from cyclopts.validators import Number

OPTIONS_GROUP = Group("Options", sort_key=1)
OUTPUT_GROUP = Group("Output", sort_key=6)
_SERVER_GROUP = Group("Server", sort_key=10)


@Parameter(name="*", group=_SERVER_GROUP)
@frozen(kw_only=True)
class ServerOptions:
    """Options that select the server and the credentials."""

    url: Annotated[
        str | None,
        Parameter(metavar="URL", help="Server. Default: see gitlab-jobs help server."),
    ] = None
    # Without repr, since a log or a traceback may contain it.
    token: Annotated[
        str | None,
        Parameter(
            metavar="TOKEN",
            help="Access token. Prefer GITLAB_TOKEN: others can see arguments.",
        ),
    ] = field(default=None, repr=False)
    profile: Annotated[
        str | None,
        Parameter(metavar="NAME", help="Section of python-gitlab's configuration."),
    ] = None
    ca_file: Annotated[
        Path | None,
        Parameter(metavar="FILE", help="Further certificate authorities: PEM file or directory."),
    ] = None
    client_cert: Annotated[
        Path | None, Parameter(metavar="FILE", help="Client certificate: PEM file.")
    ] = None
    client_key: Annotated[
        Path | None,
        Parameter(metavar="FILE", help="Its key: PEM file. Default: --client-cert."),
    ] = None
    insecure: Annotated[
        bool,
        Parameter(help="Accept any certificate. The token can be intercepted."),
    ] = False
    attempts: Annotated[
        int,
        Parameter(
            validator=Number(gte=1),
            show_default=True,
            metavar="N",
            help="Maximum attempts of a safe request.",
        ),
    ] = 3


ANY_SERVER = ServerOptions()


@Parameter(name="*")
@frozen(kw_only=True)
class ProjectOptions:
    """Options that name many projects."""

    group: Annotated[
        tuple[str, ...],
        Parameter(
            name="--group",
            metavar="GROUP...",
            help="All projects of this group (id, path or URL), with its subgroups. Repeatable.",
        ),
    ] = ()
    projects_from: Annotated[
        Path | None,
        Parameter(
            name="--projects-from",
            metavar="FILE",
            help="File of projects: one per line, # starts a comment, - is stdin.",
            allow_leading_hyphen=True,
        ),
    ] = None


NO_PROJECTS = ProjectOptions()

Json = Annotated[
    bool,
    Parameter(
        name="--json",
        group=OUTPUT_GROUP,
        help="Print one JSON object per line, with GitLab's field names.",
    ),
]
Columns = Annotated[
    str | None,
    Parameter(
        name="--columns",
        metavar="NAMES",
        group=OUTPUT_GROUP,
        help="Only these columns, in this order, separated by commas.",
    ),
]
NoPager = Annotated[
    bool,
    Parameter(
        name="--no-pager", group=OUTPUT_GROUP, help="Do not show long output in GITLAB_JOBS_PAGER."
    ),
]
Switch = bool


def check_seconds(_type: object, value: float | None) -> None:
    """Raise unless *value* is a time above 0."""
    # Not by cyclopts' Number, whose comparison accepts nan.
    if value is not None and not 0 < value < inf:
        raise ValueError("Must be a number of seconds above 0.")


Interval = Annotated[
    float | None,
    Parameter(
        name="--interval",
        metavar="SECONDS",
        validator=check_seconds,
        help="Time between two requests for one job or pipeline. Default: 5, up to 60 when the "
        "budget is short.",
    ),
]
Positive = Annotated[int | None, Parameter(validator=Number(gte=1), metavar="N")]
Color = Annotated[
    bool | None,
    Parameter(
        name="--color",
        negative="--no-color",
        group=OUTPUT_GROUP,
        help="Force colours, or disable them as NO_COLOR=1 does.",
    ),
]
Output = Annotated[
    Path | None,
    Parameter(
        alias="-o",
        metavar="FILE",
        group=OUTPUT_GROUP,
        help="Write the bytes to this file, replaced once complete.",
    ),
]
Yes = Annotated[bool, Parameter(alias="-y", help="Do not ask for confirmation.")]
Web = Annotated[
    bool,
    Parameter(alias="-w", help="Open the page in the browser; without one, print its URL."),
]
ProjectWord = Annotated[
    str,
    Parameter(
        name="PROJECT", help="Id, path or URL: 17, group/app. Default: the git checkout's project."
    ),
]
JobWord = Annotated[
    str,
    Parameter(
        name="JOB",
        help="Id, name or URL. The project may precede it; by default it is the git checkout's.",
    ),
]
ProjectOption = Annotated[
    str | None,
    Parameter(
        name="--project",
        alias="-R",
        metavar="PROJECT",
        help="Project of the JOBs: id, path or URL. Default: the git checkout's.",
    ),
]
PIPELINE_FORMS = "id, latest, branch, tag, sha, !12 or URL"


@Parameter(name="*")
@frozen(kw_only=True)
class FindOptions:
    """Options that say where a job is."""

    project: ProjectOption = None
    pipeline: Annotated[
        str | None,
        Parameter(
            metavar="PIPELINE",
            help=f"Pipeline of a JOB's name: {PIPELINE_FORMS}. Default: the newest of the "
            "checkout's branch, or of the default branch.",
        ),
    ] = None


ANYWHERE = FindOptions()


@Parameter(name="*")
@frozen(kw_only=True)
class PipelineOptions:
    """Options that say where a job is, or which pipeline is meant without a job."""

    project: ProjectOption = None
    pipeline: Annotated[
        str | None,
        Parameter(
            metavar="PIPELINE",
            help=f"This pipeline, or that of a JOB's name: {PIPELINE_FORMS}.",
        ),
    ] = None


ANY_PIPELINE = PipelineOptions()
Variables = Annotated[
    tuple[str, ...],
    Parameter(
        name="--variable",
        metavar="K=V...",
        help="Variable for this run. Repeatable.",
    ),
]
