"""Tell which arguments of a command are the project, the pipeline and the jobs. Pure."""

import shlex
from collections.abc import Iterable, Sequence
from typing import Final

from attrs import evolve, field, frozen

from gitlab_jobs_async.api.parameters import GroupId, ProjectId
from gitlab_jobs_async.cli import finding
from gitlab_jobs_async.cli.arguments import project_id
from gitlab_jobs_async.cli.config.addresses import Address
from gitlab_jobs_async.cli.errors import usage_error
from gitlab_jobs_async.cli.finding.references import (
    JobName,
    PipelineName,
    WebPage,
    is_url,
    parse_group_url,
    parse_job,
    parse_pipeline,
    parse_url,
    pipeline_of_page,
)
from gitlab_jobs_async.cli.finding.routes import is_id
from gitlab_jobs_async.cli.options import FindOptions

_CONTEXT: Final = 3
"""Lines of a log that are shown before the one of a URL."""

CHECKOUT = "."
"""The argument that stands for the project of the checkout."""

GroupName = GroupId | Address
"""An id or path, or the address of a pasted page."""

ProjectName = ProjectId | WebPage | None
"""An id or path, a pasted page of it, or None for the project of the checkout."""


@frozen
class Selection:
    """Jobs of a project, those with a name in *pipeline*; or a pipeline, or the whole project.

    *line* is that of the log of a single job, if its URL has one. *reading* says how words were
    read that could mean something else.
    """

    project: ProjectName = None
    pipeline: PipelineName | None = None
    jobs: tuple[JobName, ...] = ()
    line: int | None = None
    reading: str = field(default="", eq=False)

    @property
    def first_line(self) -> int:
        """The first line of the log to show: a few before the one of the URL."""
        return 1 if self.line is None else max(1, self.line - _CONTEXT)

    def missing_line(self, last: int) -> str:
        """Return the error that the line of the URL is after the *last* of the log, or ""."""
        if self.line is None or last >= self.line:
            return ""
        end = f"its last one is {last}" if last else "it has none"
        return f"job {self.jobs[0]} has no log line {self.line}: {end}"


def parse_project(text: str) -> ProjectName:
    """Return the project of an id, a path, a URL, or `.` for that of the checkout.

    The URL may be that of git over SSH.
    """
    if _is_checkout(text):
        return None
    if is_url(text):
        return parse_url(text)
    # No path has a colon.
    address = finding.parse_remote(text, text.rpartition("@")[2]) if ":" in text else None
    return project_id(text) if address is None else WebPage(address)


def parse_group(text: str) -> GroupName:
    """Return the group of an id, a path or a URL."""
    return parse_group_url(text) if is_url(text) else project_id(text)


def may_be_project(text: str) -> bool:
    """Return whether *text* can be a project: each is in a group, so that its path has a slash."""
    return _is_checkout(text) or "/" in text.strip("/") or is_id(text)


def _is_checkout(text: str) -> bool:
    # With a slash, as shells complete the name of a folder.
    return text in {CHECKOUT, f"{CHECKOUT}/"}


def select(
    words: Sequence[str],
    project: str | None = None,
    pipeline: str | None = None,
    *,
    takes_project: bool = False,
) -> Selection:
    """Return the selection of the arguments `[PROJECT] JOB...` with `--project` and `--pipeline`.

    The first of several words is the project if it can be one, else all are jobs. A single word is
    a job, or with *takes_project* the project if it can be one.

    Raises:
        CommandError: two of them contradict each other, or one is invalid.
    """
    rest = list(words)
    reading = ""
    if project is None and len(rest) > (0 if takes_project else 1) and _may_be_path(rest[0]):
        project = rest.pop(0)
        is_clear = _is_checkout(project) or (is_id(project) and not rest)
        reading = "" if is_clear else _read_as_project(project, "a job", words)
    given = [text for text in (project, pipeline, *rest) if text is not None]
    pages = {text: parse_url(text) for text in given if is_url(text)}
    page = next(iter(pages.values()), None)
    if page is not None:
        _check_same(page, pages.values(), project)
    pipelines = [one.pipeline for one in pages.values() if one.pipeline is not None]
    if pipeline is not None:
        found = pages.get(pipeline)
        pipelines.append(pipeline_of_page(found) if found else parse_pipeline(pipeline))
    if len(set(pipelines)) > 1:
        raise usage_error(f"expected one pipeline, not {' and '.join(map(str, pipelines))}")
    given_jobs = [pages[word].job if word in pages else parse_job(word) for word in rest]
    jobs = tuple(dict.fromkeys(job for job in given_jobs if job is not None))
    if pipeline is not None and jobs and all(isinstance(job, int) for job in jobs):
        raise usage_error("--pipeline: expected the name of a JOB with it, or none, but not an id")
    return Selection(
        page or (None if project is None else parse_project(project)),
        pipelines[0] if pipelines else None,
        jobs,
        next((one.line for one in pages.values() if one.line), None) if len(jobs) == 1 else None,
        reading,
    )


def select_job(words: Sequence[str], where: FindOptions) -> Selection:
    """Return the selection of exactly one job.

    Raises:
        CommandError: as `select`, or no job or several are named.
    """
    selection = select(words, where.project, where.pipeline)
    if len(selection.jobs) != 1:
        raise usage_error(f"expected one JOB, not {len(selection.jobs)}")
    return selection


def select_pipeline(
    words: Sequence[str], project: str | None = None, pipeline: str | None = None
) -> Selection:
    """Return the selection of the arguments `[PROJECT] [PIPELINE]`; a URL names both.

    A single word is the project if it has a slash or is `.`, else the pipeline.

    Raises:
        CommandError: there are too many, or as `select`.
    """
    rest = list(words)
    has_two = len(rest) > 1 or pipeline is not None
    reading = ""
    if project is None and rest and (has_two or not is_id(rest[0])) and _may_be_path(rest[0]):
        project = rest.pop(0)
        if not rest and not _is_checkout(project):
            # Branches, too, have slashes.
            reading = _read_as_project(project, "a branch", words)
    if len(rest) > 1 or (rest and pipeline is not None and not is_url(rest[0])):
        raise usage_error(f"PIPELINE {rest[-1]!r}: expected at most a PROJECT and a PIPELINE")
    if rest and not is_url(rest[0]):
        pipeline = rest.pop(0)
    return evolve(select(rest, project, pipeline), reading=reading)


def _read_as_project(project: str, other: str, words: Sequence[str]) -> str:
    return f"{project} is read as the project; as {other} it is: . {shlex.join(words)}"


def _may_be_path(text: str) -> bool:
    return not is_url(text) and may_be_project(text)


def _check_same(page: WebPage, pages: Iterable[WebPage], project: str | None) -> None:
    """Raise if the pages belong to several projects, or to another one than *project*."""
    mine = page.address
    for other in (one.address for one in pages):
        if (mine.host, mine.port, mine.folder) != (other.host, other.port, other.folder):
            raise usage_error(f"expected URLs of one project, not {mine.source} and {other.source}")
    # The folder may begin with the relative root of the server.
    if project is None or is_url(project) or f"/{mine.folder}".endswith(f"/{project.strip('/')}"):
        return
    raise usage_error(f"expected a URL of project {project}, not {mine.source}")
