"""The commands `cancel`, `retry`, `erase` and `play`."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from gitlab_jobs_async.cli.arguments import parse_pairs, parse_typed_pairs
from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.commands.following import follow_logs, follow_pipeline, until_restarted
from gitlab_jobs_async.cli.config.advice import advice
from gitlab_jobs_async.cli.config.client import connect_to
from gitlab_jobs_async.cli.errors import (
    FAILED,
    OK,
    CommandError,
    error_line,
    exit_code_of,
    usage_error,
)
from gitlab_jobs_async.cli.finding.resolve import (
    Finder,
    FoundJobs,
    find_jobs,
    open_project,
)
from gitlab_jobs_async.cli.finding.selection import Selection, select
from gitlab_jobs_async.cli.options import (
    ANY_PIPELINE,
    ANY_SERVER,
    ANYWHERE,
    FindOptions,
    Interval,
    JobWord,
    Json,
    PipelineOptions,
    ServerOptions,
    Switch,
    Variables,
    Web,
    Yes,
)
from gitlab_jobs_async.cli.output import print_result
from gitlab_jobs_async.cli.pipeline_writer import PipelineWriter
from gitlab_jobs_async.cli.progress import progress
from gitlab_jobs_async.cli.signals import run_until_signal
from gitlab_jobs_async.cli.terminal import break_line, print_error
from gitlab_jobs_async.cli.web_page import show_page
from gitlab_jobs_async.errors import GitLabError, NotFoundError
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.project import Project

InputOption = Annotated[
    tuple[str, ...],
    Parameter(
        name="--input",
        metavar="K=V...",
        help="Job input; V may be a JSON number, boolean, list or quoted string. Repeatable.",
    ),
]
Failed = Annotated[
    Switch, Parameter(help="The failed jobs of the pipeline one by one, without canceled ones.")
]
Follow = Annotated[
    Switch, Parameter(help="Follow the log, or the pipeline; the exit code is the result.")
]


def _selected(
    words: Sequence[str], where: PipelineOptions, job_option: str, *, is_pipeline: bool = False
) -> Selection:
    """Return jobs or a pipeline; a pipeline has no *job_option*, which is empty if not given.

    With *is_pipeline*, the newest one of the checkout or the default branch need not be named.
    """
    takes_project = where.pipeline is not None or is_pipeline
    selection = select(words, where.project, where.pipeline, takes_project=takes_project)
    if not selection.jobs and selection.pipeline is None and not is_pipeline:
        raise usage_error("missing JOB: expected at least one, or --pipeline")
    if not selection.jobs and job_option:
        raise usage_error(f"{job_option}: expected a JOB, not only a pipeline")
    return selection


async def cancel(
    *words: JobWord,
    where: PipelineOptions = ANY_PIPELINE,
    force: Annotated[
        Switch, Parameter(help="End a job stuck in canceling. Requires a maintainer and GitLab 18.")
    ] = False,
    web: Web = False,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Cancel jobs or a pipeline and print their status."""
    selection = _selected(words, where, "--force" if force else "")
    with progress("cancel") as waiting:
        async with open_project(server, selection, hooks=waiting.hooks()) as finder:
            if not selection.jobs:
                at = await finder.pipeline(selection.pipeline)
                done = await at.project.cancel_pipeline(at.id)
                waiting.stop()
                await _print(f"pipeline {at.id} is {clean(done.status)}", done, web=web, json=json)
                return OK
            project, ids = await finder.jobs(selection.jobs, selection.pipeline)
            for number in waiting.each(ids, "job"):
                job = await project.cancel_job(number, force=force)
                waiting.clear()
                sentence = f"job {number} {clean(job.name)} is {clean(job.status)}"
                await _print(sentence, job, web=web, json=json)
    return OK


async def _print(sentence: str, value: Job | Bridge | Pipeline, *, web: bool, json: bool) -> None:
    """Print the result of an action; with *web*, open its page, too."""
    print_result(sentence, value, json=json)
    if web:
        # Its JSON has the URL.
        await show_page(value.web_url, is_printed=not json)


async def retry(
    *words: JobWord,
    where: PipelineOptions = ANY_PIPELINE,
    failed: Failed = False,
    follow: Follow = False,
    interval: Interval = None,
    inputs: InputOption = (),
    web: Web = False,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Retry jobs and print the new ones, or retry the failed jobs of a pipeline."""
    given = parse_typed_pairs("--input", inputs)
    selection = _selected(words, where, "--input" if given else "", is_pipeline=failed)
    if failed and selection.jobs:
        raise usage_error("--failed: expected a pipeline, not a JOB")
    with progress("retry") as waiting:
        client = open_project(server, selection, interval=interval, hooks=waiting.hooks())
        async with client as finder:
            if not selection.jobs and not failed:
                waiting.stop()
                return await _retry_pipeline(finder, selection, follow=follow, web=web, json=json)
            project, ids, triggers = await _jobs_to_retry(finder, selection)
            followed: list[Job] = []
            code = OK
            for number in waiting.each(ids, "job"):
                try:
                    job = await project.retry_job(number, inputs=given or None)
                except GitLabError as error:
                    # The others of the pipeline are still retried.
                    if not failed:
                        raise
                    reason = _refusal(error, finder.gitlab.url, is_trigger=number in triggers)
                    print_error(f"job {number}: {reason}")
                    code = code or exit_code_of(error)
                    continue
                waiting.clear()
                sentence = f"job {number} {clean(job.name)} runs again as job {job.id}"
                await _print(f"{sentence}: {clean(job.status)}", job, web=web, json=json)
                if number not in triggers:
                    followed.append(job)
                elif follow:
                    print_error(f"job {job.id} {job.name} is a trigger job without a log")
            if follow and followed:
                waiting.stop()
                return await follow_logs(finder.gitlab, project, followed, json=json) or code
    return code


async def _jobs_to_retry(
    finder: Finder, selection: Selection
) -> tuple[Project, list[int], set[int]]:
    """Return the named jobs, or the failed ones of the pipeline, and which are trigger jobs."""
    if selection.jobs:
        found = await finder.jobs(selection.jobs, selection.pipeline, takes_triggers=True)
        return *found, finder.triggers
    at = await finder.pipeline(selection.pipeline)
    jobs = await at.project.list_pipeline_jobs(at.id, scope=JobStatus.FAILED)
    bridges = await at.project.list_bridges(at.id, scope=JobStatus.FAILED)
    if not (jobs or bridges):
        print_error(f"no job of pipeline {at.id} has failed")
    ids = sorted(job.id for job in [*jobs, *bridges])
    return at.project, ids, {bridge.id for bridge in bridges}


def _refusal(error: GitLabError, url: str, *, is_trigger: bool) -> str:
    if is_trigger and isinstance(error, NotFoundError):
        return f"{error_line(error)}; it is a trigger job, which GitLab retries from 17.0 on"
    next_step = advice(error, url, datetime.now(UTC), has_token=True)
    return "; ".join(filter(None, (error_line(error), next_step)))


async def _retry_pipeline(
    finder: Finder, selection: Selection, *, follow: bool, web: bool, json: bool
) -> int:
    at = await finder.pipeline(selection.pipeline)
    done = await at.project.retry_pipeline(at.id)
    sentence = f"pipeline {at.id} is retried: {clean(done.status)}"
    await _print(sentence, done, web=web, json=json)
    if not follow:
        return OK
    await until_restarted(at)
    view = PipelineWriter(finder.name, is_json=json, first="pipeline_changed")
    return await follow_pipeline(at, view)


async def play(
    *words: JobWord,
    where: FindOptions = ANYWHERE,
    follow: Follow = False,
    interval: Interval = None,
    variables: Variables = (),
    inputs: InputOption = (),
    web: Web = False,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Start manual or delayed jobs and print their status."""
    values, given = parse_pairs("--variable", variables), parse_typed_pairs("--input", inputs)
    selection = _jobs(words, where)
    with progress("play") as waiting:
        client = open_project(server, selection, interval=interval, hooks=waiting.hooks())
        async with client as finder:
            project, ids = await finder.jobs(
                selection.jobs, selection.pipeline, takes_triggers=True
            )
            played: list[Job] = []
            for number in waiting.each(ids, "job"):
                found = await project.play_job(
                    number, variables=values or None, inputs=given or None
                )
                waiting.clear()
                # GitLab retries a job that was played before, so that it gets a new id.
                again = "" if found.id == number else f" runs again as job {found.id}:"
                sentence = f"job {number} {clean(found.name)}{again or ' is'} {clean(found.status)}"
                await _print(sentence, found, web=web, json=json)
                if isinstance(found, Job):
                    played.append(found)
                elif follow:
                    print_error(f"job {found.id} {found.name} is a trigger job without a log")
            if follow and played:
                waiting.stop()
                return await follow_logs(finder.gitlab, project, played, json=json)
    return OK


def _jobs(words: Sequence[str], where: FindOptions) -> Selection:
    selection = select(words, where.project, where.pipeline)
    if not selection.jobs:
        raise usage_error("missing JOB: expected at least one")
    return selection


def erase(
    *words: JobWord,
    where: FindOptions = ANYWHERE,
    yes: Yes = False,
    web: Web = False,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Erase the log and artifacts of jobs after confirmation."""
    found = run_until_signal(find_jobs(server, _jobs(words, where)))
    if not yes:
        confirm(f"Erase the log and artifacts of {clean(found)}?")
    return run_until_signal(_erase(found, server, web=web, json=json))


async def _erase(found: FoundJobs, server: ServerOptions, *, web: bool, json: bool) -> int:
    async with connect_to(found.server, server, reading=found.reading) as gitlab:
        with progress("erase") as waiting:
            for number in waiting.each(found.ids, "job"):
                job = await gitlab.project(found.project).erase_job(number)
                waiting.clear()
                await _print(f"job {number} {clean(job.name)} is erased", job, web=web, json=json)
    return OK


def confirm(question: str) -> None:
    """Ask for confirmation on the terminal; raise `CommandError` without it.

    Call it before the event loop runs, so that Ctrl-C interrupts the input.
    """
    # None: closed by `<&-`.
    if sys.stdin is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise usage_error(f"{question} Not a terminal: expected --yes")
    # Not to stdout, which may be a pipe.
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    try:
        answer = sys.stdin.readline()
    except KeyboardInterrupt:
        break_line()  # the question stays
        raise
    if answer.strip().lower() not in {"y", "yes"}:
        raise CommandError("not confirmed: nothing was changed", FAILED)
