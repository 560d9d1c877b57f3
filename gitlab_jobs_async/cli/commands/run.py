"""The command `run`: create a pipeline, and print its jobs' changes until it has ended."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from cyclopts import Parameter

from gitlab_jobs_async.api.parameters import project_path
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.cli.arguments import parse_pairs, parse_typed_pairs
from gitlab_jobs_async.cli.commands.following import Until, follow_pipeline
from gitlab_jobs_async.cli.errors import (
    OK,
    CommandError,
    error_line,
    exit_code_of,
    usage_error,
)
from gitlab_jobs_async.cli.finding.references import Latest, is_url, parse_url
from gitlab_jobs_async.cli.finding.resolve import Finder, FoundPipeline, open_project
from gitlab_jobs_async.cli.finding.selection import Selection, parse_project
from gitlab_jobs_async.cli.options import (
    ANY_SERVER,
    Interval,
    Json,
    ProjectOption,
    ServerOptions,
    Variables,
    Web,
)
from gitlab_jobs_async.cli.pipeline_writer import PipelineWriter
from gitlab_jobs_async.cli.terminal import print_error
from gitlab_jobs_async.cli.web_page import show_page
from gitlab_jobs_async.errors import BadRequestError
from gitlab_jobs_async.models.pipelines import Pipeline

RefWord = Annotated[
    str,
    Parameter(
        name="REF",
        help="Branch or tag; the project may precede it. Default: both of the git checkout, or the "
        "default branch of --project.",
    ),
]


async def run(
    *words: RefWord,
    project: ProjectOption = None,
    branch: Annotated[
        str | None,
        Parameter(name="--ref", metavar="REF", help="The same as REF, as other commands name it."),
    ] = None,
    variables: Variables = (),
    inputs: Annotated[
        tuple[str, ...],
        Parameter(
            name="--input",
            metavar="K=V...",
            help="Input that the configuration declares; V may be a JSON number, boolean, list "
            "or quoted string. Repeatable.",
        ),
    ] = (),
    until: Annotated[
        Until, Parameter(help="blocked: also end when only a manual job can continue it.")
    ] = "finished",
    follow: Annotated[
        bool,
        Parameter(negative="--no-follow", help="Wait until the pipeline ends (default)."),
    ] = True,
    web: Web = False,
    interval: Interval = None,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Create a pipeline, wait for it and return the exit code of its status."""
    values, given = parse_pairs("--variable", variables), parse_typed_pairs("--input", inputs)
    selection, ref = _branch([*words, *([] if branch is None else [branch])], project)
    async with open_project(server, selection, interval=interval) as finder:
        wanted = await _current(finder) if ref is None else ref
        finder.note(wanted, is_chosen=ref is None)
        created = await _create(finder, wanted, values, given)
        view = PipelineWriter(finder.name, is_json=json)
        view.show(created, [])
        try:
            if web:
                await show_page(created.web_url, is_printed=not json)
            if not follow:
                return OK
            return await follow_pipeline(
                FoundPipeline(finder.project, created.id, created), view, until=until
            )
        except BaseException:
            print_error(f"pipeline {created.id} was created: {created.web_url}")
            raise


async def _create(
    finder: Finder, ref: str, values: Mapping[str, str], inputs: Mapping[str, object]
) -> Pipeline:
    try:
        return await finder.project.create_pipeline(
            ref, variables=values or None, inputs=inputs or None
        )
    except BadRequestError as error:
        if "Reference not found" not in error.message:
            raise
        # As for a branch that exists only in the checkout.
        words = f"{finder.name} has neither a branch nor a tag {ref!r}: push it, or name one"
        raise CommandError(f"{error_line(error)}; {words}", exit_code_of(error)) from error


def _branch(words: Sequence[str], project: str | None) -> tuple[Selection, str | None]:
    """Return the project, and the ref if one is named."""
    names = list(words)
    if project is None and (len(names) > 1 or (names and is_url(names[0]))):
        project = names.pop(0)
    if len(names) > 1:
        raise usage_error(f"REF {names[1]!r}: expected at most a PROJECT and a REF")
    ref = names[0] if names else None
    if project is None:
        return Selection(), ref
    page = parse_url(project) if is_url(project) else None
    if page is not None and (page.job or not isinstance(page.pipeline, Latest | None)):
        # A new pipeline of the default branch would be a guess.
        raise usage_error(f"{page.address.source}: expected the URL of a project or branch")
    return Selection(page or parse_project(project)), page.ref if ref is None and page else ref


async def _current(finder: Finder) -> str:
    """Return the branch of the checkout, or the default one of the project that is named."""
    if finder.checkout is None:
        request = Request("GET", project_path(finder.project.id))
        branch = (await finder.gitlab.send(request)).json().get("default_branch")
    else:
        branch = finder.checkout.branch
    if not isinstance(branch, str):
        raise usage_error("missing REF: expected a branch or tag, or a git checkout of a branch")
    return branch
