"""Call a simulated GitLab over real HTTP in few words."""

import aiohttp
import orjson
from attrs import define, frozen
from yarl import URL

from gitlab_jobs_async.simulator import Simulator


@frozen
class Reply:
    """Status, headers and body of a response."""

    status: int
    headers: aiohttp.typedefs.LooseHeaders
    body: bytes

    @property
    def json(self):
        return orjson.loads(self.body)

    @property
    def ids(self):
        return [row["id"] for row in self.json]


@define
class Api:
    """A simulator and a session; `await api("GET /jobs")` sends a request as an administrator."""

    gitlab: Simulator
    session: aiohttp.ClientSession

    async def __call__(self, call, *, token="glpat-root", headers=None, **options):
        method, _, path = call.partition(" ")
        sent = dict(headers or {})
        if token:
            sent["PRIVATE-TOKEN"] = token
        prefix = "" if path.startswith("/api/") else "/api/v4"
        url = URL(f"{self.gitlab.url}{prefix}{path}", encoded=True)
        async with self.session.request(
            method, url, headers=sent, allow_redirects=False, **options
        ) as response:
            return Reply(response.status, response.headers, await response.read())

    async def graphql(self, text, *, token="glpat-root", headers=None, **variables):
        """Run a GraphQL query with its variables."""
        body = {"query": text, "variables": variables}
        return await self("POST /api/graphql", token=token, headers=headers, json=body)
