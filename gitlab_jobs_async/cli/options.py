"""Options that several commands share. Values only, so that `--help` is fast."""

from math import inf
from pathlib import Path
from typing import Annotated

from attrs import field, frozen
from cyclopts import Group, Parameter
from cyclopts.validators import Number

_SERVER_GROUP = Group("Server", sort_key=10)


@Parameter(name="*", group=_SERVER_GROUP)
@frozen(kw_only=True)
class ServerOptions:
    """Options that select the server and the credentials."""

    url: Annotated[
        str | None,
        Parameter(
            help="Server URL. Default: GITLAB_URL, GITLAB_HOST, CI_SERVER_URL, configuration."
        ),
    ] = None
    # Without repr, since a log or a traceback may contain it.
    token: Annotated[
        str | None,
        Parameter(help="Access token. Prefer GITLAB_TOKEN: other local users can see arguments."),
    ] = field(default=None, repr=False)
    profile: Annotated[
        str | None, Parameter(help="Section of python-gitlab's configuration file.")
    ] = None
    ca_file: Annotated[
        Path | None,
        Parameter(
            help="Additional certificate authorities, a PEM file or a directory. Default: "
            "configuration, SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CI_SERVER_TLS_CA_FILE."
        ),
    ] = None
    client_cert: Annotated[Path | None, Parameter(help="Client certificate, a PEM file.")] = None
    client_key: Annotated[
        Path | None,
        Parameter(help="Key of the client certificate, a PEM file. Default: --client-cert."),
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
            help="Maximum attempts of a request that is safe to repeat.",
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
            name="--group", help="All projects of this group, with its subgroups. Repeatable."
        ),
    ] = ()
    projects_from: Annotated[
        Path | None,
        Parameter(
            name="--projects-from",
            help="File of projects: one per line, # starts a comment, - is stdin.",
            allow_leading_hyphen=True,
        ),
    ] = None


NO_PROJECTS = ProjectOptions()

Json = Annotated[
    bool,
    Parameter(name="--json", help="Print one JSON object per line with GitLab's field names."),
]
Switch = bool


def _check_seconds(_type: object, value: float | None) -> None:
    # Not by cyclopts' Number, whose comparison accepts nan.
    if value is not None and not 0 < value < inf:
        raise ValueError("Must be a number of seconds above 0.")


Interval = Annotated[
    float | None,
    Parameter(
        name="--interval",
        validator=_check_seconds,
        help="Seconds between two requests for one job or pipeline; 5 by default. When the budget "
        "is short, up to 60, or this if it is longer.",
    ),
]
Positive = Annotated[int | None, Parameter(validator=Number(gte=1))]
Color = Annotated[
    bool | None,
    Parameter(
        name="--color",
        negative="--no-color",
        help="Force colours, or disable them as NO_COLOR=1 does.",
    ),
]
Output = Annotated[
    Path | None,
    Parameter(alias="-o", help="Write the bytes to this file, replaced once complete."),
]
Yes = Annotated[bool, Parameter(alias="-y", help="Do not ask for confirmation.")]
ProjectName = Annotated[str, Parameter(name="PROJECT", help="Id or path: 17, group/app.")]
JobNumber = Annotated[int, Parameter(name="JOB", help="Id of the job.")]
