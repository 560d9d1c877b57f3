"""The options that several commands share; values only, so that help is there at once."""

from pathlib import Path
from typing import Annotated

from attrs import field, frozen
from cyclopts import Group, Parameter
from cyclopts.validators import Number

_SERVER = Group("Server", sort_key=10)


@Parameter(name="*", group=_SERVER)
@frozen(kw_only=True)
class ServerOptions:
    """Which GitLab to ask, and as whom."""

    url: Annotated[
        str | None,
        Parameter(
            help="The server. Default: GITLAB_URL, GITLAB_HOST, CI_SERVER_URL, a configuration."
        ),
    ] = None
    token: Annotated[
        str | None,
        Parameter(
            help="A token. Better set GITLAB_TOKEN: other users of this machine can see arguments."
        ),
    ] = field(default=None, repr=False)
    profile: Annotated[
        str | None, Parameter(help="A section of python-gitlab's configuration file.")
    ] = None
    ca_file: Annotated[
        Path | None,
        Parameter(
            help="Authorities to trust beside the system's, a PEM file or a directory. "
            "Default: a configuration, SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CI_SERVER_TLS_CA_FILE."
        ),
    ] = None
    client_cert: Annotated[
        Path | None, Parameter(help="The certificate to show to the server, a PEM file.")
    ] = None
    client_key: Annotated[
        Path | None,
        Parameter(help="Its key, a PEM file. Default: the file of the certificate."),
    ] = None
    insecure: Annotated[
        bool,
        Parameter(help="Take any certificate: anyone on the way can read the token."),
    ] = False
    attempts: Annotated[
        int,
        Parameter(
            validator=Number(gte=1),
            show_default=True,
            help="How often a request is tried where trying again does no harm.",
        ),
    ] = 3


ANY_SERVER = ServerOptions()

Json = Annotated[
    bool,
    Parameter(name="--json", help="One JSON object a line, with GitLab's own field names."),
]
Switch = bool
Color = Annotated[
    bool | None,
    Parameter(
        name="--color",
        negative="--no-color",
        help="Colours in a pipe, too; or none on a terminal, as with NO_COLOR=1.",
    ),
]
Output = Annotated[
    Path | None,
    Parameter(alias="-o", help="Write the bytes to this file, which is there once it is whole."),
]
Yes = Annotated[bool, Parameter(alias="-y", help="Do not ask.")]
ProjectName = Annotated[str, Parameter(name="PROJECT", help="Id or full path: 17, group/app.")]
JobNumber = Annotated[int, Parameter(name="JOB", help="Id of the job.")]
