"""The API as one function: find route and caller, call the handler, finish the response."""

import gzip
import hashlib
import logging
import re
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from typing import Final
from urllib.parse import unquote

from attrs import define, evolve, field

from gitlab_jobs_async.simulator.api import (
    artifacts,
    commits,
    groups,
    jobs,
    pipeline_actions,
    pipelines,
    projects,
    tokens,
)
from gitlab_jobs_async.simulator.api.answers import (
    Answer,
    ApiError,
    Plain,
    bad_string,
    error,
    server_error,
    unauthorized,
)
from gitlab_jobs_async.simulator.api.authentication import identify
from gitlab_jobs_async.simulator.api.calls import Call, Request, Route
from gitlab_jobs_async.simulator.api.limits import Limits
from gitlab_jobs_async.simulator.api.parameters import Parameters, integer, nested, parsed_body
from gitlab_jobs_async.simulator.settings import SimulatorSettings
from gitlab_jobs_async.simulator.world import World

_logger = logging.getLogger(__name__)
_PREFIX: Final = "/api/v4/"
_GRAPHQL: Final = "/api/graphql"
_CONDITIONAL: Final = (200, 206, 416)
"""Statuses that a matching If-None-Match turns into a 304, before Range applies."""
_MALFORMED: Final = re.compile("[\0\ud800-\udfff]")
_SEARCHED: Final = 4
"""Levels of a body, itself included, that GitLab searches for NUL."""

_COMPRESSIBLE: Final = ("application/json", "text/plain")


def _compiled(pattern: str) -> re.Pattern[str]:
    parts = [
        f"(?P<{part[1:]}>.+)"
        if part.startswith("*")
        else f"(?P<{part[1:]}>[^/]+)"
        if part.startswith(":")
        else re.escape(part)
        for part in pattern.split("/")
    ]
    return re.compile("/".join(parts) + r"/?\Z")


_ROUTES: Final = tuple(
    (_compiled(route.pattern), route)
    for route in (
        *projects.ROUTES,
        *groups.ROUTES,
        *tokens.ROUTES,
        *artifacts.ROUTES,
        *pipelines.ROUTES,
        *pipeline_actions.ROUTES,
        *commits.ROUTES,
        *jobs.ROUTES,
    )
)
ENDPOINTS: Final = tuple((route.method, route.pattern) for _, route in _ROUTES)


@define
class Application:
    """The API of a GitLab over `world` at `origin`, with archives at `storage`."""

    world: World
    settings: SimulatorSettings
    origin: str
    storage: str
    limits: Limits = field(factory=Limits)

    def answer(
        self,
        request: Request,
        now: float,
        *,
        behind: float = 0.0,
        edit: Callable[[bytes], bytes] | None = None,
    ) -> Answer:
        """Answer a request at `now`, up to which the world must be settled.

        `behind`: seconds by which GraphQL lags behind. `edit`: changes the body of a 200.
        """
        try:
            extra, answer = self._routed(request, now, behind)
        except Exception:
            _logger.exception("%s %s", request.method, request.path)
            extra, answer = (), server_error().answer
        if edit is not None and answer.status == 200 and isinstance(answer.body, Plain):
            answer = evolve(answer, body=Plain(edit(answer.body.content)))
        return self._finished(request, evolve(answer, headers=answer.headers + extra))

    def _routed(
        self, request: Request, now: float, behind: float
    ) -> tuple[tuple[tuple[str, str], ...], Answer]:
        # Rack::Attack runs before routing and authentication.
        caller = self._caller(request)
        extra, refusal = self.limits.throttle(self.settings, caller, now)
        if refusal is not None:
            return extra, refusal
        try:
            if request.path.rstrip("/") == _GRAPHQL and request.method in {"GET", "POST"}:
                return extra, self._graphql(request, now, behind)
            return extra, self._handled(request, now)
        except ApiError as failure:
            return extra, failure.answer

    def _handled(self, request: Request, now: float) -> Answer:
        params = _read_query(request)
        route, found = _route(request)
        origin = self.settings.external_url or self.origin
        call = Call(
            request,
            self.world,
            self.settings,
            now,
            origin,
            self.storage,
            route,
            params,
            self.limits,
        )
        if request.method not in {"GET", "HEAD"}:
            call.params.update(_read_body(request))
        call.params.update(found)
        call.identity = identify(call)
        if call.identity is None and not call.route.anonymous:
            raise unauthorized()
        # Grape validates ids before the endpoint looks for the project.
        for name in ("job_id", "pipeline_id"):
            integer(call.params, name)
        return call.route.handler(call)

    def _graphql(self, request: Request, now: float, behind: float) -> Answer:
        graphql = self.settings.graphql
        # graphql-core comes with an extra.
        if graphql is None or find_spec("graphql") is None:
            raise error(404, "404 Not Found")
        module = import_module("gitlab_jobs_async.simulator.api.graphql.endpoint")
        origin = self.settings.external_url or self.origin
        endpoint = module.Endpoint(self.world, self.settings, graphql, origin)
        answer: Answer = endpoint.answer(request, now, behind)
        return answer

    def _caller(self, request: Request) -> str | None:
        """Return the key of the caller for rate limits, None for anonymous ones."""
        value = _token_of(request)
        token, job = (
            self.world.registry.tokens.get(value),
            self.world.registry.job_tokens.get(value),
        )
        user = token.user if token else job.user if job else None
        return f"user {user.id}" if user else None

    def _finished(self, request: Request, answer: Answer) -> Answer:
        etag = answer.etag
        if etag is None and answer.status in {200, 201} and isinstance(answer.body, Plain):
            content = answer.body.content
            etag = f'W/"{hashlib.sha256(content).hexdigest()[:32]}"' if content else None
        headers = list(answer.headers)
        # ActionDispatch adds a weak ETag to every body, also to that of a POST.
        if etag is not None and self.settings.etags:
            headers.append(("ETag", etag))
            if answer.status in _CONDITIONAL and _matches(request, etag):
                return _not_modified(headers)
        cached = "max-age=0, private, must-revalidate" if answer.status < 300 else "no-cache"
        headers += [("Cache-Control", cached), *_COMMON]
        finished = evolve(answer, headers=tuple(headers))
        return _compressed(request, finished) if self.settings.gzip else finished


_COMMON: Final = (
    ("Vary", "Origin"),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("X-Content-Type-Options", "nosniff"),
)


def _read_query(request: Request) -> Parameters:
    """Read the query as Rack does; raise the 400 that GitLab sends for a malformed one."""
    path, given = request.path, request.headers.get("authorization", "")
    texts = (unquote(path, errors="surrogateescape"), given, *chain(*request.query))
    if any(_MALFORMED.search(text) for text in texts):
        raise bad_string()
    return nested(request.query)


def _read_body(request: Request) -> Parameters:
    content_type = request.headers.get("content-type", "application/x-www-form-urlencoded")
    params = parsed_body(content_type, request.body)
    if _has_nul(params):
        raise bad_string()
    return params


def _has_nul(value: object, depth: int = 0) -> bool:
    if isinstance(value, str):
        return "\0" in value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth < _SEARCHED and any(_has_nul(item, depth + 1) for item in inner)


def _route(request: Request) -> tuple[Route, Parameters]:
    rest = request.path.removeprefix(_PREFIX)
    method = "GET" if request.method == "HEAD" else request.method
    allowed = set()
    if rest != request.path:
        for pattern, route in _ROUTES:
            if match := pattern.match(rest):
                if route.method == method:
                    found = {key: unquote(value) for key, value in match.groupdict().items()}
                    return route, dict(found)
                allowed.add(route.method)
    if allowed:
        raise error(405, "405 Not Allowed")
    raise error(404, "404 Not Found")


def _token_of(request: Request) -> str:
    query, headers = dict(request.query), request.headers
    named = [query.get(name) for name in ("private_token", "access_token", "job_token", "token")]
    bearer = headers.get("authorization", "").rpartition(" ")[2]
    given = [headers.get("private-token"), bearer, headers.get("job-token")]
    return next((value for value in (*named, *given) if value), "")


def _matches(request: Request, etag: str) -> bool:
    given = request.headers.get("if-none-match", "")
    known = {tag.strip().removeprefix("W/") for tag in given.split(",")}
    return request.method in {"GET", "HEAD"} and (
        etag.removeprefix("W/") in known or given.strip() == "*"
    )


def _not_modified(headers: list[tuple[str, str]]) -> Answer:
    kept = [h for h in headers if h[0].lower() not in {"content-type", "content-disposition"}]
    return Answer(304, (*kept, ("Cache-Control", "max-age=0, private, must-revalidate"), *_COMMON))


def _compressed(request: Request, answer: Answer) -> Answer:
    kind = answer.header("content-type") or ""
    if answer.status != 200 or not answer.body.size or kind not in _COMPRESSIBLE:
        return answer
    varied = (*answer.headers, ("Vary", "Accept-Encoding"))
    if not _takes_gzip(request.headers.get("accept-encoding", "")):
        return evolve(answer, headers=varied)
    content = gzip.compress(b"".join(answer.body.pieces()), compresslevel=1, mtime=0)
    # A front proxy that compresses drops the ETag of the plain body.
    headers = tuple(h for h in varied if h[0] != "ETag")
    encoded = (*headers, ("Content-Encoding", "gzip"))
    return evolve(answer, headers=encoded, body=Plain(content))


def _takes_gzip(accepted: str) -> bool:
    for coding in accepted.lower().split(","):
        name, *options = (part.strip().replace(" ", "") for part in coding.split(";"))
        if name == "gzip":
            return not any(re.fullmatch(r"q=0(\.0*)?", option) for option in options)
    return False
