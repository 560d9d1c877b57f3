"""The command `tail`: follow logs, of jobs by their ids or names or of all that are selected."""

from collections.abc import Sequence
from typing import Annotated

from attrs import evolve
from cyclopts import Parameter

from gitlab_jobs_async.cli.commands.tail_options import (
    DEFAULT_STYLE,
    LogRange,
    TailCall,
    check,
)
from gitlab_jobs_async.cli.config.client import connect_to, poll_policy_of
from gitlab_jobs_async.cli.errors import FAILED, OK, usage_error
from gitlab_jobs_async.cli.finding.resolve import Finder, FoundPipeline, open_project
from gitlab_jobs_async.cli.finding.selection import Selection, select
from gitlab_jobs_async.cli.log_writer import LogWriter
from gitlab_jobs_async.cli.named_projects import NamedProjects, named_projects
from gitlab_jobs_async.cli.options import (
    ANY_PIPELINE,
    ANY_SERVER,
    NO_PROJECTS,
    OUTPUT_GROUP,
    Interval,
    JobWord,
    PipelineOptions,
    ProjectOptions,
    ServerOptions,
    Web,
)
from gitlab_jobs_async.cli.progress import progress
from gitlab_jobs_async.cli.tail.endings import pipeline_ending
from gitlab_jobs_async.cli.tail.failed import FailureReport, failed_jobs
from gitlab_jobs_async.cli.tail.follow import SelectedLogs, follow, show_present
from gitlab_jobs_async.cli.tail.log_slots import LogSlots
from gitlab_jobs_async.cli.tail.present import (
    Found,
    ended_before,
    jobs_of_pipeline,
    jobs_of_projects,
)
from gitlab_jobs_async.cli.tail.selection import JobFilter
from gitlab_jobs_async.cli.terminal import is_terminal, print_error, print_report
from gitlab_jobs_async.cli.views.job_labels import ShownJob
from gitlab_jobs_async.cli.views.log_style import LogStyle
from gitlab_jobs_async.cli.web_page import show_selected
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.concurrency import gather_all
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.targets import GroupTarget, PipelineTarget

_WHOLE = LogRange()
_ALL_JOBS = JobFilter()


async def tail(
    *words: JobWord,
    where: PipelineOptions = ANY_PIPELINE,
    many: ProjectOptions = NO_PROJECTS,
    jobs: JobFilter = _ALL_JOBS,
    log_range: LogRange = _WHOLE,
    style: LogStyle = DEFAULT_STYLE,
    raw: Annotated[
        bool,
        Parameter(
            group=OUTPUT_GROUP, help="Write the bytes of one log unchanged, to a file or pipe."
        ),
    ] = False,
    json: Annotated[
        bool,
        Parameter(
            group=OUTPUT_GROUP,
            help="Print one JSON object per line: project, job_id, job_name and the fields of the "
            "line. With --log-failed: one per job.",
        ),
    ] = False,
    interval: Interval = None,
    web: Web = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Follow logs line by line until their jobs have ended."""
    if interval is not None and not (log_range.follow and not log_range.log_failed):
        raise usage_error("--interval does not go with --no-follow or --log-failed")
    with progress("tail") as waiting:
        how = TailCall(
            log_range,
            style,
            jobs,
            json=json,
            raw=raw,
            interval=interval,
            server=server,
            waiting=waiting,
        )
        if jobs.is_set or many != NO_PROJECTS:
            # No word is a job here: each names a project.
            check(0, how)
            projects = [*words, *([] if where.project is None else [where.project])]
            pipelines = [] if where.pipeline is None else [where.pipeline]
            named = named_projects(projects, many, server, pipelines)
            return await _of_projects(named, how, web=web)
        is_whole = where.pipeline is not None or log_range.log_failed
        selection = select(words, where.project, where.pipeline, takes_project=is_whole)
        if not selection.jobs and selection.pipeline is None and not log_range.log_failed:
            raise usage_error("missing JOB: expected at least one, or --pipeline or --jobs REGEX")
        check(len(selection.jobs), how)
        client = open_project(server, selection, interval=interval, hooks=waiting.hooks())
        async with client as finder:
            if web:
                return await show_selected(finder, selection)
            if selection.jobs:
                return await _of_jobs(finder, selection, how)
            return await _of_pipeline(finder, await finder.pipeline(selection.pipeline), how)


async def _of_jobs(finder: Finder, selection: Selection, how: TailCall) -> int:
    """Follow the jobs that are named."""
    # Even a single job is requested, so that a missing server or job is reported at once.
    handle, ids = await finder.jobs(selection.jobs, selection.pipeline)
    found = await gather_all([handle.get_job(job_id) for job_id in ids])
    if how.range.lines is not None or how.range.offset is not None:
        selection = evolve(selection, line=None)
    printer = how.printer(selection.first_line)
    project = str(handle.id)
    if how.range.log_failed:
        report = FailureReport(finder.gitlab, printer, how.range.lines)
        return await report.print_all([(project, job) for job in found], "these")
    how.view.labels.has_project = not is_terminal()
    # A single job is written without its name.
    is_labelled = len(found) > 1
    ended = {job.id: job for job in found if how.since and ended_before(job, how.since)}
    for job in ended.values():
        print_error(f"{ShownJob.of(project, job)} had ended by --since")
    rest = [job for job in found if job.id not in ended]
    if not (how.range.follow or how.raw):
        present = [(project, job) for job in rest]
        last = how.range.lines
        code = await show_present(finder.gitlab, present, printer, last, is_labelled=is_labelled)
        if rest and (missing := selection.missing_line(printer.last_line)):
            print_error(missing)
        return code
    for job in rest:
        printer.add(ShownJob.of(project, job), job, is_labelled=is_labelled)
    resume_at: dict[int, int | None] = dict.fromkeys((job.id for job in found), how.range.offset)
    writer = LogWriter(finder.gitlab, handle, project, rest, how.arguments(), resume_at, ended)
    if how.raw:
        await writer.write_bytes(follow=how.range.follow)
    else:
        await writer.write_lines(
            printer, last=how.range.lines, follow_retries=how.range.follow_retries
        )
        if rest and (missing := selection.missing_line(printer.last_line)):
            print_error(missing)
    return await writer.exit_code() if how.range.follow else writer.code_so_far


async def _of_pipeline(finder: Finder, at: FoundPipeline, how: TailCall) -> int:
    """Follow the jobs of a pipeline until it has ended or only a manual job can continue it."""
    what = f"pipeline {at.id}"
    if how.range.log_failed:
        failed = await failed_jobs(at.project, at.id)
        report = FailureReport(finder.gitlab, how.printer(), how.range.lines)
        return await report.print_all([one for one in failed if how.selection.has(one[1])], what)
    how.view.labels.has_project = not is_terminal()
    present = (
        []
        if how.range.follow and how.since is None
        else await jobs_of_pipeline(at.project, at.id, how.since)
    )
    if not how.range.follow:
        return await _show_present(finder.gitlab, present, how, what)
    # A monitor would go on polling a pipeline that does not exist.
    await at.read()
    target = PipelineTarget(at.project.id, at.id, until="blocked")
    code = await _follow(finder.gitlab, [target], present, how)
    pipeline = await at.project.get_pipeline(at.id)
    is_bad = pipeline.status in {JobStatus.FAILED, JobStatus.CANCELED}
    print_report(pipeline_ending(pipeline), is_bad=is_bad)
    return FAILED if is_bad else code


async def _of_projects(named: NamedProjects, how: TailCall, *, web: bool) -> int:
    """Follow the selected jobs of projects and groups until Ctrl-C, or those of a pipeline."""
    client = connect_to(named.server, how.server, interval=how.interval, hooks=how.waiting.hooks())
    async with client as gitlab:
        if len(named.pipelines) > 1:
            raise usage_error("--pipeline: expected one pipeline")
        if web:
            return await named.show_pages(gitlab, "jobs")
        if named.pipelines or how.range.log_failed:
            finder = named.finder(gitlab)
            at = await finder.pipeline(named.pipelines[0] if named.pipelines else None)
            return await _of_pipeline(finder, at, how)
        named.note()
        is_single = len(named.names) == 1 and not isinstance(named.names[0], GroupTarget)
        how.view.labels.has_project = not (is_terminal() and is_single)
        present: list[Found] = []
        if how.since is not None or not how.range.follow:
            present = await jobs_of_projects(gitlab, named.names, how.since)
        if not how.range.follow:
            return await _show_present(gitlab, present, how, "the projects")
        await named.check_groups(gitlab)
        return await _follow(gitlab, named.names, present, how)


async def _show_present(gitlab: GitLab, found: Sequence[Found], how: TailCall, what: str) -> int:
    selected = [one for one in found if how.selection.has(one[1])]
    if not selected:
        since = "" if how.since is None else " or has ended since"
        print_error(f"no selected job of {what} is running{since}")
        return OK
    return await show_present(gitlab, selected, how.printer(), how.range.lines)


async def _follow(
    gitlab: GitLab,
    targets: Sequence[int | str | PipelineTarget | GroupTarget],
    present: Sequence[Found],
    how: TailCall,
) -> int:
    logs = SelectedLogs(how.selection, how.printer(), LogSlots(how.jobs.max_logs), how.range.lines)
    await follow(gitlab, targets, logs, poll_policy_of(how.interval), present)
    return logs.code_so_far
