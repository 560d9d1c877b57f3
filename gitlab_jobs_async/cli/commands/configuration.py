"""The command `config`: what was found where; it sends no request and shows no secret."""

import os

from gitlab_jobs_async.cli.config.client import config_files
from gitlab_jobs_async.cli.config.resolution import ConfigFiles, resolve, same_server
from gitlab_jobs_async.cli.config.sources import (
    Fact,
    connection_facts,
    file_facts,
    server_facts,
)
from gitlab_jobs_async.cli.errors import OK, CommandError, error_line
from gitlab_jobs_async.cli.finding.checkout import Checkout, find_checkout
from gitlab_jobs_async.cli.finding.location import server_of_checkout
from gitlab_jobs_async.cli.options import ANY_SERVER, Json, ServerOptions
from gitlab_jobs_async.cli.output import print_facts
from gitlab_jobs_async.cli.terminal import print_note


def config(*, json: Json = False, server: ServerOptions = ANY_SERVER) -> int:
    """Print server, token, certificates, proxies, project and branch with their sources."""
    files = config_files()
    checkout: Checkout | None = None
    place: list[Fact] = []
    try:
        checkout = find_checkout()
        place = _checkout_facts(checkout)
    except CommandError as error:
        place = [("checkout", error_line(error).partition(": expected")[0])]
    failure: CommandError | ValueError | None = None
    facts: list[Fact] = []
    try:
        facts = _server_facts(server, files, checkout)
    except (CommandError, ValueError) as error:
        failure = error
    shown = [fact for fact in [*facts, *file_facts(files), *place] if fact[1] is not None]
    print_facts(shown, dict(shown), json=json)
    if failure is not None:
        raise failure
    if "token" not in dict(shown):
        print_note("no token was found: set GITLAB_TOKEN, or configure one for this server")
    return OK


def _server_facts(
    options: ServerOptions, files: ConfigFiles, checkout: Checkout | None
) -> list[Fact]:
    """Return the server that a command here uses; a checkout of another one is a fact, too."""
    usual = chosen = resolve(options, os.environ, files)
    problem: list[Fact] = []
    if checkout is not None:
        try:
            chosen, _ = server_of_checkout(options, checkout)
        except CommandError as error:
            problem = [("checkout", error_line(error))]
    is_usual = same_server(usual.url, chosen.url)
    return [
        *server_facts(chosen, options, os.environ, files, is_usual=is_usual),
        *connection_facts(chosen, os.environ),
        *problem,
    ]


def _checkout_facts(checkout: Checkout) -> list[Fact]:
    return [
        ("project", checkout.address.folder),
        ("remote", f"{checkout.remote} ({checkout.address})"),
        ("branch", checkout.branch),
        ("sha", checkout.sha),
    ]
