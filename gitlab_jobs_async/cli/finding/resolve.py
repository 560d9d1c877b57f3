"""Open the client for a selection, and find its pipeline and jobs on the server."""

import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from difflib import get_close_matches
from typing import Final

from attrs import field, frozen

from gitlab_jobs_async import http
from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.cli.config.client import connect_to
from gitlab_jobs_async.cli.config.resolution import ResolvedServer
from gitlab_jobs_async.cli.errors import NOT_FOUND, CommandError
from gitlab_jobs_async.cli.finding.checkout import Checkout
from gitlab_jobs_async.cli.finding.location import locate
from gitlab_jobs_async.cli.finding.references import (
    Commit,
    JobName,
    Latest,
    MergeRequest,
    PipelineName,
)
from gitlab_jobs_async.cli.finding.selection import Selection
from gitlab_jobs_async.cli.options import ServerOptions
from gitlab_jobs_async.cli.terminal import print_note
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.errors import LookupFailedError, NotFoundError
from gitlab_jobs_async.models.jobs import Bridge
from gitlab_jobs_async.models.pipelines import Pipeline, PipelineBasic
from gitlab_jobs_async.project import Project
from gitlab_jobs_async.ratelimit.budget import RequestBudget

_RECENT: Final = 100
"""Pipelines whose refs are compared with a mistyped one: one page."""

_SHOWN: Final = 5
_FOLDERS: Final = 8
"""Most parts of a pasted path that can be a ref."""


@frozen
class FoundPipeline:
    """A pipeline and its project, which is the fork for a merge request from one.

    *pipeline* is None if the id was given, since no request was needed.
    """

    project: Project
    id: int
    pipeline: Pipeline | None = None

    async def read(self) -> Pipeline:
        """Return the pipeline."""
        return self.pipeline or await self.project.get_pipeline(self.id)


@frozen
class FoundJobs:
    """Ids of jobs, their project and its server; *names* are those that the user gave.

    *reading* is that of the selection.
    """

    server: ResolvedServer
    project: ProjectId
    ids: tuple[int, ...]
    names: tuple[JobName, ...]
    reading: str = ""

    def __str__(self) -> str:
        pairs = zip(self.ids, self.names, strict=True)
        shown = [f"{number}" if number == name else f"{number} {name}" for number, name in pairs]
        return f"job{'s' * (len(shown) > 1)} {', '.join(shown)} in {self.project}"


@frozen(eq=False, repr=False)
class Finder:
    """Finds pipelines and jobs of one project; *name* is how the user or the checkout names it."""

    gitlab: GitLab
    project: Project
    name: str
    checkout: Checkout | None = None
    triggers: set[int] = field(factory=set[int], init=False)
    """Ids of the trigger jobs among the jobs that were found by name."""

    async def pipeline(self, name: PipelineName | None = None) -> FoundPipeline:
        """Return a pipeline, by default the newest of the checkout's branch or of the default one.

        A line on stderr says which one was chosen, unless it was named by its id.

        Raises:
            CommandError: it does not exist; the error has the names that come closest.
            GitLabError: the server refuses or fails.
        """
        if isinstance(name, int):
            self.note(f"pipeline {name}")
            return FoundPipeline(self.project, name)
        found = await self._newest(Latest() if name is None else name)
        is_elsewhere = isinstance(name, MergeRequest) and found.project_id
        project = self.gitlab.project(found.project_id) if is_elsewhere else self.project
        what = str(name) if isinstance(name, MergeRequest | Commit) else found.ref
        self.note(f"pipeline {found.id}" + (f" of {what}" if what else ""), is_chosen=True)
        return FoundPipeline(project, found.id, found)

    async def jobs(
        self,
        jobs: Iterable[JobName],
        pipeline: PipelineName | None = None,
        *,
        takes_triggers: bool = False,
    ) -> tuple[Project, list[int]]:
        """Return the ids of *jobs* and their project; names are those of jobs in *pipeline*.

        Without a name nothing is requested. The API has trigger jobs for retry and play only.

        Raises:
            CommandError: a job or the pipeline does not exist.
            GitLabError: the server refuses or fails.
        """
        names = list(jobs)
        if pipeline is None and all(isinstance(name, int) for name in names):
            self.note()
            return self.project, [name for name in names if isinstance(name, int)]
        found = await self.pipeline(pipeline)
        ids = [await self._job(found, name, takes_triggers=takes_triggers) for name in names]
        return found.project, ids

    def note(self, *details: str, is_chosen: bool = False) -> None:
        """Say on a terminal's stderr what was chosen, if it was not named."""
        if is_chosen or self.checkout is not None:
            print_note(", ".join((self.name, *details)))

    async def _job(self, found: FoundPipeline, name: JobName, *, takes_triggers: bool) -> int:
        if isinstance(name, int):
            return name
        try:
            return (await found.project.find_job(found.id, name)).id
        except LookupFailedError as error:
            bridges = await found.project.list_bridges(found.id)
            named = [bridge for bridge in bridges if bridge.name == name]
            if named:
                trigger = max(named, key=lambda bridge: bridge.id)
                self.triggers.add(trigger.id)
                if takes_triggers:
                    return trigger.id
                raise _is_trigger(trigger) from error
            ref = None if found.pipeline is None else found.pipeline.ref
            may_be_other = name in ("latest", ref) or name.startswith("!") or "/" in name
            hint = "; --pipeline names a pipeline, --project a project" if may_be_other else ""
            words = f"{error} (pipeline {found.id} of {self.name}){hint}"
            raise CommandError(words, NOT_FOUND) from error

    async def _newest(self, name: Latest | Commit | MergeRequest) -> Pipeline:
        try:
            if isinstance(name, MergeRequest):
                return await self.project.get_latest_pipeline(merge_request=name.iid)
            if isinstance(name, Commit):
                return await self.project.get_latest_pipeline(sha=name.sha)
            if name.ref is not None:
                return await self._of_ref(name.ref, may_have_path=name.may_have_path)
            return await self._of_checkout()
        except (LookupFailedError, NotFoundError) as error:
            branch = self.checkout.branch if self.checkout else None
            is_detached = self.checkout is not None and branch is None
            if isinstance(name, Latest) and not (name.ref is None and is_detached):
                await self._fail(name.ref or branch, error)
            raise

    async def _of_checkout(self) -> Pipeline:
        """Return the newest pipeline of the checkout's branch or commit, else of the default."""
        checkout = self.checkout
        if checkout is None:
            return await self.project.get_latest_pipeline()
        if checkout.branch is not None:
            try:
                return await self._of_ref(checkout.branch)
            except (LookupFailedError, NotFoundError):
                if checkout.sha is None:
                    raise
        if checkout.sha is None:
            raise LookupFailedError("the checkout has neither a branch nor a commit")
        # Pipelines of merge requests have a ref of their own.
        return await self.project.get_latest_pipeline(sha=checkout.sha)

    async def _of_ref(self, ref: str, *, may_have_path: bool = False) -> Pipeline:
        """Return the newest pipeline of a branch or tag, also if it is of an earlier commit."""
        try:
            return await self.project.get_latest_pipeline(ref)
        except (LookupFailedError, NotFoundError):
            for one in _refs_in(ref) if may_have_path else [ref]:
                if rows := await self._first(one, 1):
                    return await self.project.get_pipeline(rows[0].id)
            raise

    async def _first(self, ref: str | None, count: int) -> list[PipelineBasic]:
        """Return the newest pipelines, one page at most."""
        found: list[PipelineBasic] = []
        rows = (
            self.project.iter_pipelines() if ref is None else self.project.iter_pipelines(ref=ref)
        )
        async with aclosing(rows):
            async for row in rows:
                found.append(row)
                if len(found) == count:
                    break
        return found

    async def _fail(self, ref: str | None, error: Exception) -> None:
        """Raise with the refs that come closest to the one that was not found."""
        refs = await self._recent_refs()
        raise CommandError(self._missing(ref, refs), NOT_FOUND) from error

    async def note_unknown_ref(self, ref: str) -> None:
        """Say on a terminal's stderr which refs come closest, if no recent pipeline has *ref*."""
        if sys.stderr.isatty():
            refs = await self._recent_refs()
            if ref not in refs:
                print_note(self._missing(ref, refs))

    async def _recent_refs(self) -> list[str]:
        return sorted({row.ref for row in await self._first(None, _RECENT) if row.ref})

    def _missing(self, ref: str | None, refs: list[str]) -> str:
        close = get_close_matches(ref or "", refs) or refs[:_SHOWN]
        what = f"no pipeline of {ref!r}" if ref else "no pipeline of the default branch"
        choice = f"one of {', '.join(close)}" if len(close) > 1 else "".join(close)
        return f"{what} in {self.name}" + (f": expected {choice}" if choice else "")


def _is_trigger(bridge: Bridge) -> CommandError:
    started = bridge.downstream_pipeline
    place = f"its pipeline {started.id}, {started.web_url}" if started else "a job with a log"
    words = f"job {bridge.id} {bridge.name} is a trigger job: expected {place}"
    return CommandError(words, NOT_FOUND)


def _refs_in(path: str) -> list[str]:
    """Return the refs that a path may begin with, longest first."""
    parts = path.split("/")[:_FOLDERS]
    return ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]


@asynccontextmanager
async def open_project(
    options: ServerOptions,
    selection: Selection,
    budget: RequestBudget | None = None,
    *,
    interval: float | None = None,
    hooks: "http.RequestHooks | None" = None,
) -> AsyncIterator[Finder]:
    """Yield the finder of a selection's project, with the open client.

    Raises:
        CommandError: as `locate` and `connect_to`.
    """
    place = locate(options, [selection.project], _expected(selection))
    (name,) = place.projects
    async with connect_to(
        place.server,
        options,
        budget,
        interval=interval,
        hooks=hooks,
        reading=selection.reading,
    ) as gitlab:
        yield Finder(gitlab, gitlab.project(name), str(name), place.checkout)


def _expected(selection: Selection) -> str:
    return "a PROJECT in front of the JOB, or a URL" if selection.jobs else "a PROJECT or a URL"


async def find_jobs(options: ServerOptions, selection: Selection) -> FoundJobs:
    """Return the jobs of a selection, without any request if all are named by their ids.

    Raises:
        CommandError: as `locate` and `Finder.jobs`.
        GitLabError: the server refuses or fails.
    """
    place = locate(options, [selection.project], _expected(selection))
    (project,) = place.projects
    ids = tuple(name for name in selection.jobs if isinstance(name, int))
    if len(ids) < len(selection.jobs):
        async with connect_to(place.server, options, reading=selection.reading) as gitlab:
            finder = Finder(gitlab, gitlab.project(project), str(project), place.checkout)
            handle, found = await finder.jobs(selection.jobs, selection.pipeline)
        project, ids = handle.id, tuple(found)
    return FoundJobs(place.server, project, ids, selection.jobs, selection.reading)
