"""Ask a server, one request after the other, and collect its answers."""

from collections.abc import Sequence
from typing import Final

import orjson
from attrs import define

from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.cli.doctor import questions
from gitlab_jobs_async.cli.doctor.candidates import project_number, readable_job
from gitlab_jobs_async.cli.doctor.findings import Findings, Problem, Reply
from gitlab_jobs_async.cli.doctor.readings import has_unfinished_jobs, refused_cost
from gitlab_jobs_async.cli.doctor.request_cap import RequestCap
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.clock import Clock
from gitlab_jobs_async.errors import (
    AuthenticationError,
    ConnectionFailedError,
    DecodeError,
    GitLabError,
    GraphQLError,
    PermissionDeniedError,
    ResponseError,
    ResponseTooLargeError,
    ServerError,
)

BETWEEN_READINGS: Final = 10.0
"""Seconds from the first reading of a running pipeline to the second, at least."""

_GATEWAY: Final = frozenset({502, 503, 504})
_MOST_REPEATS: Final = 2
_MOST_PROJECTS: Final = 3


async def diagnose(
    gitlab: GitLab,
    cap: RequestCap,
    clock: Clock,
    *,
    project: ProjectId | None = None,
    group: ProjectId | None = None,
    attempts: int = 3,
) -> Findings:
    """Ask the server of *gitlab*, whose budget is *cap*, and return its answers.

    A request is sent at most *attempts* times, and at most two are repeated in all.

    Raises:
        GitLabError: the server cannot be reached, is not a GitLab, or refuses the credentials.
    """
    findings = Findings(named_project=project, named_group=group)
    probe = _Probe(gitlab, cap, clock, min(_MOST_REPEATS, attempts - 1), findings)
    await probe.identify()
    await probe.find_projects(group)
    await probe.find_jobs(project)
    began = clock.now()
    await probe.ask_graphql()
    if findings.project is not None:
        await probe.read_listing(findings.project)
        await probe.read_job(findings.project)
    await probe.read_again(began)
    findings.requests = cap.requests
    return findings


@define
class _Probe:
    gitlab: GitLab
    cap: RequestCap
    clock: Clock
    repeats_left: int
    findings: Findings

    async def ask(self, name: str, request: Request) -> Reply:
        """Send *request* and file the answer under *name*."""
        self.findings.replies[name] = reply = await self._answer(request)
        return reply

    async def _answer(self, request: Request) -> Reply:
        if self.cap.left <= 0:
            return Reply(problem=Problem.LIMIT)
        began = self.clock.now()
        try:
            response = await self._send(request)
        except GitLabError as error:
            return _failed(error, self.clock.now() - began)
        return _read(response, self.clock.now() - began)

    async def _send(self, request: Request) -> Response:
        """Send *request*, again after a passing error, which would hide an answer."""
        while True:
            try:
                return await self.gitlab.send(request)
            except (ConnectionFailedError, ServerError) as error:
                # A 500 is an answer: GitLab gives it to some cursors.
                is_passing = not isinstance(error, ServerError) or error.status in _GATEWAY
                if not is_passing or not self.repeats_left or self.cap.left <= 0:
                    raise
                self.repeats_left -= 1

    async def identify(self) -> None:
        """Read the version and the credentials; raise unless a GitLab accepts them."""
        request = questions.version()
        try:
            response = await self._send(request)
        except AuthenticationError as refusal:
            # A job token may ask for its own job and for little else.
            if not (await self.ask("job token", questions.own_job())).is_good:
                raise refusal from None
            self.findings.is_job_token = True
            self.findings.replies["version"] = _failed(refusal, 0.0)
            return
        except PermissionDeniedError as refusal:
            self.findings.replies["version"] = _failed(refusal, 0.0)
        else:
            reply = self.findings.replies["version"] = _read(response, 0.0)
            if not isinstance(reply.get("version"), str):
                got = "text" if reply.problem is Problem.NOT_JSON else "other JSON"
                reason = f"expected the version of a GitLab, got {got}"
                raise DecodeError(reason, request.method, response.url)
        await self.ask("metadata", questions.metadata())
        await self.ask("token", questions.own_token())
        await self.ask("user", questions.own_user())

    async def find_projects(self, group: ProjectId | None) -> None:
        """Find projects that can be asked about: of the group, or of the caller."""
        if self.findings.is_job_token:
            return
        request = questions.own_projects() if group is None else questions.group_projects(group)
        self.findings.project_ids = (await self.ask("projects", request)).ids

    async def find_jobs(self, project: ProjectId | None) -> None:
        """Read the newest jobs of the project, or of the first found one that has jobs."""
        own = project_number(self.findings.reply("job token").value)
        known: Sequence[ProjectId] = self.findings.project_ids[:_MOST_PROJECTS]
        if self.findings.is_job_token and own is not None:
            known = [own]
        for candidate in known if project is None else [project]:
            self.findings.project = candidate
            reply = await self.ask("jobs", questions.jobs(candidate))
            # The first may be without CI, or hide its jobs from guests.
            if reply.rows or not (reply.is_good or reply.is_denied):
                break
        jobs, numeric = self.findings.reply("jobs").rows, self.findings.project
        if jobs and not isinstance(numeric, int):
            numeric = project_number(jobs[0])
        if isinstance(numeric, int):
            # A number never redirects, as a path may.
            self.findings.project = numeric
            others = [number for number in self.findings.project_ids if number != numeric]
            self.findings.project_ids = [numeric, *others]

    async def ask_graphql(self) -> None:
        """Ask about 1, 10 and 50 projects, or about as many as are known."""
        known = self.findings.project_ids
        if self.findings.is_job_token or not known:
            return
        for size in questions.QUESTION_SIZES:
            query = questions.JOBS if size == 1 else questions.CHANGES
            reply = await self._question(query, known[:size])
            self.findings.questions[size] = reply
            if not reply.is_good or len(known) <= size:
                break

    async def _question(self, query: str, project_ids: Sequence[int]) -> Reply:
        if self.cap.left <= 0:
            return Reply(problem=Problem.LIMIT)
        began = self.clock.now()
        try:
            data = await self.gitlab.graphql(query, questions.variables(project_ids))
        except GitLabError as error:
            return _failed(error, self.clock.now() - began)
        seconds = self.clock.now() - began
        return Reply(200, value=data, seconds=seconds, problem=Problem.NONE)

    async def read_listing(self, project: ProjectId) -> None:
        """Read the last page by a cursor, below it, and a page by offset."""
        newest = self.findings.reply("jobs")
        if not newest.rows:
            return
        last = await self.ask("last", questions.oldest_jobs(project))
        if last.ids:
            await self.ask("below", questions.jobs_below(project, min(last.ids)))
        await self.ask("offset", questions.jobs_by_offset(project))

    async def read_job(self, project: ProjectId) -> None:
        """Read a job and the first byte of its log, both also conditionally."""
        row = readable_job([*self.findings.reply("jobs").rows, *self.findings.reply("last").rows])
        if row is None:
            return
        job_id = row["id"]
        self.findings.job_status = str(row["status"])
        trace = await self.ask("trace", questions.first_byte(project, job_id))
        if etag := trace.headers.get("etag"):
            await self.ask("trace again", questions.first_byte(project, job_id, etag))
        if self.findings.is_job_token:
            return
        job = await self.ask("job", questions.job(project, job_id))
        if etag := job.headers.get("etag"):
            await self.ask("job again", questions.job(project, job_id, etag))

    async def read_again(self, began: float) -> None:
        """Read the first project's pipelines again, if something runs there."""
        first = self.findings.questions.get(1)
        if first is None or not has_unfinished_jobs(first.value) or self.cap.left <= 0:
            return
        await self.clock.sleep(max(0.0, began + BETWEEN_READINGS - self.clock.now()))
        reply = await self._question(questions.JOBS, self.findings.project_ids[:1])
        self.findings.replies["reading"] = reply


def _read(response: Response, seconds: float) -> Reply:
    size = len(response.body)
    if "/trace" in response.url:
        return Reply(response.status, response.headers, None, size, seconds, Problem.NONE)
    try:
        value = orjson.loads(response.body) if response.body else None
    except orjson.JSONDecodeError:
        return Reply(response.status, {}, None, size, seconds, Problem.NOT_JSON)
    return Reply(response.status, response.headers, value, size, seconds, Problem.NONE)


def _failed(error: GitLabError, seconds: float) -> Reply:
    if isinstance(error, ResponseError):
        return Reply(error.status, seconds=seconds, problem=Problem.NONE)
    if isinstance(error, ConnectionFailedError):
        return Reply(seconds=seconds, problem=Problem.LOST)
    if isinstance(error, ResponseTooLargeError):
        return Reply(size=error.most + 1, seconds=seconds, problem=Problem.TOO_LARGE)
    if isinstance(error, GraphQLError):
        stated = refused_cost(error.messages)
        problem = Problem.REFUSED if stated is None else Problem.COMPLEXITY
        return Reply(200, value=stated, seconds=seconds, problem=problem)
    return Reply(200, seconds=seconds, problem=Problem.NOT_JSON)
