"""Find the server and the projects of a command: as named, pasted, or those of the checkout."""

from collections.abc import Sequence

from attrs import frozen

from gitlab_jobs_async.api.parameters import GroupId, ProjectId
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.cli import finding
from gitlab_jobs_async.cli.arguments import project_id
from gitlab_jobs_async.cli.config.addresses import Address
from gitlab_jobs_async.cli.config.client import server_of
from gitlab_jobs_async.cli.config.resolution import ResolvedServer
from gitlab_jobs_async.cli.errors import CommandError, usage_error
from gitlab_jobs_async.cli.finding.references import WebPage
from gitlab_jobs_async.cli.finding.selection import GroupName, ProjectName
from gitlab_jobs_async.cli.options import ServerOptions


@frozen(eq=False, repr=False)
class Located:
    """A server with the projects and groups of a command on it.

    *checkout* is set if it was used.
    """

    server: ResolvedServer
    projects: tuple[ProjectId, ...]
    groups: tuple[GroupId, ...] = ()
    checkout: "finding.Checkout | None" = None


def locate(
    options: ServerOptions,
    projects: Sequence[ProjectName],
    expected: str = "a PROJECT or a URL",
    groups: Sequence[GroupName] = (),
) -> Located:
    """Return the server and the projects and groups of a command, which may read the checkout.

    Raises:
        CommandError: no checkout, or the projects are on different servers.
    """
    addresses = [name.address for name in projects if isinstance(name, WebPage)]
    addresses += [group for group in groups if isinstance(group, Address)]
    checkout = finding.find_checkout(expected) if None in projects else None
    if addresses:
        server = server_of(options, addresses[0], is_pasted=True)
    elif checkout is not None:
        server, checkout = server_of_checkout(options, checkout)
    else:
        server = server_of(options)

    def path_of(name: ProjectName | GroupName) -> ProjectId:
        where = name.address if isinstance(name, WebPage) else name
        if where is None and checkout is not None:
            where = checkout.address
        return where if isinstance(where, int | str) else _path_at(where, server)

    return Located(
        server,
        tuple(dict.fromkeys(map(path_of, projects))),
        tuple(dict.fromkeys(map(path_of, groups))),
        checkout,
    )


def _path_at(address: Address | None, server: ResolvedServer) -> ProjectId:
    path = None if address is None else address.project_at(ServerUrl.parse(server.url))
    if address is None or path is None:
        source = "" if address is None else address.source
        raise usage_error(f"{source} is not at {server.url}: expected projects of one server")
    return project_id(path)


def server_of_checkout(
    options: ServerOptions, checkout: "finding.Checkout"
) -> "tuple[ResolvedServer, finding.Checkout]":
    """Return the server of a checkout, and the checkout with the name of its host.

    Raises:
        CommandError: the remote is at another server.
    """
    try:
        return server_of(options, checkout.address), checkout
    except CommandError as error:
        known = finding.behind_alias(checkout)
        if known is not None:
            return server_of(options, known.address), known
        usual = ServerUrl.parse(server_of(options).url)
        for remote, address in checkout.others.items():
            if path := address.project_at(usual):
                raise usage_error(f"{error}, or --project {path} of remote {remote!r}") from None
        raise
