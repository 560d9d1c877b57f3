"""The commands `cancel`, `retry`, `erase` and `play`."""

import sys
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from gitlab_jobs_async.cli.arguments import parse_pairs, parse_typed_pairs, project_id
from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.config.client import connect
from gitlab_jobs_async.cli.errors import FAILED, OK, CommandError, usage_error
from gitlab_jobs_async.cli.options import (
    ANY_SERVER,
    JobNumber,
    Json,
    ProjectName,
    ServerOptions,
    Switch,
    Yes,
)
from gitlab_jobs_async.cli.output import print_result
from gitlab_jobs_async.cli.signals import run_until_signal
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.pipelines import Pipeline

InputOption = Annotated[
    tuple[str, ...],
    Parameter(
        name="--input",
        metavar="K=V...",
        help="Job input; V may be a JSON number, boolean, list or quoted string. Repeatable.",
    ),
]
VariableOption = Annotated[
    tuple[str, ...],
    Parameter(
        name="--variable",
        metavar="K=V...",
        help="Variable for this run. Repeatable.",
    ),
]
OptionalJob = Annotated[int | None, Parameter(name="JOB", help="Id of the job.")]
PipelineOption = Annotated[
    int | None,
    Parameter(
        metavar="PIPELINE",
        help="The jobs of this pipeline, in place of JOB.",
        validator=Number(gte=1),
    ),
]


def _one_of(job: int | None, pipeline: int | None, job_option: str) -> int:
    """Return the id that was given; a pipeline has no *job_option*, which is empty if not given."""
    number = job if pipeline is None else pipeline
    if number is None or (job is not None and pipeline is not None):
        raise usage_error("expected either a JOB or --pipeline ID")
    if pipeline is not None and job_option:
        raise usage_error(f"{job_option}: expected a JOB, not --pipeline")
    return number


async def cancel(
    project: ProjectName,
    job: OptionalJob = None,
    /,
    *,
    pipeline: PipelineOption = None,
    force: Annotated[
        Switch, Parameter(help="End a job stuck in canceling. Requires a maintainer and GitLab 18.")
    ] = False,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Cancel a job or a pipeline and print its status."""
    number = _one_of(job, pipeline, "--force" if force else "")
    found: Job | Pipeline
    async with connect(server) as gitlab:
        calls = gitlab.project(project_id(project))
        if pipeline is None:
            found = await calls.cancel_job(number, force=force)
            subject = f"job {number} {clean(found.name)}"
        else:
            found = await calls.cancel_pipeline(number)
            subject = f"pipeline {number}"
    print_result(f"{subject} is {clean(found.status)}", found, json=json)
    return OK


async def retry(
    project: ProjectName,
    job: OptionalJob = None,
    /,
    *,
    pipeline: PipelineOption = None,
    inputs: InputOption = (),
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Retry a job and print the new one, or retry the failed jobs of a pipeline."""
    given = parse_typed_pairs("--input", inputs)
    number = _one_of(job, pipeline, "--input" if given else "")
    found: Job | Pipeline
    async with connect(server) as gitlab:
        calls = gitlab.project(project_id(project))
        if pipeline is None:
            found = await calls.retry_job(number, inputs=given or None)
            sentence = f"job {number} {clean(found.name)} runs again as job {found.id}"
        else:
            found = await calls.retry_pipeline(number)
            sentence = f"pipeline {number} is retried"
    print_result(f"{sentence}: {clean(found.status)}", found, json=json)
    return OK


async def play(
    project: ProjectName,
    job: JobNumber,
    /,
    *,
    variables: VariableOption = (),
    inputs: InputOption = (),
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Start a manual or delayed job and print its status."""
    values, given = parse_pairs("--variable", variables), parse_typed_pairs("--input", inputs)
    async with connect(server) as gitlab:
        found = await gitlab.project(project_id(project)).play_job(
            job, variables=values or None, inputs=given or None
        )
    # GitLab retries a job that was played before, so that it gets a new id.
    again = "" if found.id == job else f" runs again as job {found.id}:"
    sentence = f"job {job} {clean(found.name)}{again or ' is'} {clean(found.status)}"
    print_result(sentence, found, json=json)
    return OK


def erase(
    project: ProjectName,
    job: JobNumber,
    /,
    *,
    yes: Yes = False,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Erase a job's log and artifacts after confirmation."""
    if not yes:
        confirm(f"Erase the log and artifacts of job {job} in {clean(project)}?")
    return run_until_signal(_erase(project, job, json=json, server=server))


async def _erase(project: str, job: int, *, json: bool, server: ServerOptions) -> int:
    async with connect(server) as gitlab:
        found = await gitlab.project(project_id(project)).erase_job(job)
    print_result(f"job {job} {clean(found.name)} is erased", found, json=json)
    return OK


def confirm(question: str) -> None:
    """Ask for confirmation on the terminal; raise `CommandError` without it.

    Call it before the event loop runs, so that Ctrl-C interrupts the input.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise usage_error(f"{question} Not a terminal: expected --yes")
    # Not to stdout, which may be a pipe.
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise CommandError("not confirmed: nothing was changed", FAILED)
