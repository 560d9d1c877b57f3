"""A handler for one listing, behind a gateway that may drop any header."""

import asyncio
import base64
import json

from aiohttp import web
from attrs import define, field

FIELDS = {"status": "success", "stage": "test", "name": "unit", "ref": "main", "sha": "1"}
NAMED = {"path": "a.txt", "type": "file", "size": 1, "mode": "100644"}


@define
class ListingServer:
    """A listing with these *ids* at any path; `lets` chooses the headers that arrive.

    By default as today's GitLab: a cursor with no row beyond it is a 500.
    """

    ids: list[int]
    lets: object = lambda _name: True
    has_keyset: bool = True
    empty_status: int = 500
    largest: int = 1000
    served: list[tuple[dict, int]] = field(factory=list)

    def statuses(self):
        """Return the number of responses by status."""
        found = [status for _, status in self.served]
        return {status: found.count(status) for status in set(found)}

    def cursors(self):
        """Return the content of each cursor that was sent."""
        given = [query["cursor"] for query, _ in self.served if query.get("cursor")]
        return [json.loads(base64.urlsafe_b64decode(cursor)) for cursor in given]

    async def __call__(self, request):
        query = dict(request.query)
        size = min(int(query.get("per_page", 20)), self.largest)
        is_keyset = self.has_keyset and query.get("pagination") == "keyset"
        page = self.by_keyset if is_keyset else self.by_offset
        ids, headers = page(request, query, size)
        status = 200 if ids or not query.get("cursor") else self.empty_status
        if query.get("cursor") and cursor_of(query["cursor"]) == (None, "p"):
            status = 200
        self.served.append((query, status))
        if status != 200:
            return web.json_response({"message": "500 Internal Server Error"}, status=status)
        rows = [{"id": number, "iid": number, "project_id": 1} | FIELDS | NAMED for number in ids]
        kept = {name: value for name, value in headers.items() if self.lets(name)}
        return web.json_response(rows, headers=kept)

    def by_keyset(self, request, query, size):
        rows = sorted(self.ids, reverse=True)
        number, way = cursor_of(query["cursor"]) if query.get("cursor") else (None, "n")
        if way == "n":
            below = [row for row in rows if number is None or row < number]
            shown, is_more = below[:size], len(below) > size
        else:
            above = [row for row in rows if number is None or row > number]
            shown, is_more = above[-size:], number is not None
        if not (shown and is_more):
            return shown, {"X-Prev-Cursor": "any"} if query.get("cursor") and shown else {}
        text = json.dumps({"id": str(shown[-1]), "_kd": "n"}, separators=(",", ":"))
        following = base64.urlsafe_b64encode(text.encode()).decode()
        url = request.url.update_query(cursor=following)
        return shown, {"Link": f'<{url}>; rel="next"', "X-Next-Cursor": following}

    def by_offset(self, request, query, size):
        rows, page = sorted(self.ids, reverse=True), int(query.get("page", 1))
        shown, is_more = rows[(page - 1) * size : page * size], len(rows) > page * size
        links = [(page + 1, "next")] * is_more + [(1, "first")]
        named = [f'<{request.url.update_query(page=n)}>; rel="{rel}"' for n, rel in links]
        headers = {"X-Page": str(page), "X-Next-Page": str(page + 1) if is_more else ""}
        return shown, {**headers, "X-Per-Page": str(size), "Link": ", ".join(named)}


def cursor_of(text):
    """Return the id and the direction of a cursor."""
    value = json.loads(base64.urlsafe_b64decode(text))
    return (int(value["id"]) if "id" in value else None), value["_kd"]


@define
class Rounds:
    """A handler that sends responses in rounds: all pending ones at once."""

    handler: object
    count: int = 0
    _waiting: list = field(factory=list)

    async def __call__(self, request):
        released = asyncio.get_running_loop().create_future()
        self._waiting.append(released)
        await released
        return await self.handler(request)

    async def run(self):
        """Send a round whenever the client has stopped sending requests."""
        while True:
            before = -1
            while not self._waiting or len(self._waiting) != before:
                before = len(self._waiting)
                await asyncio.sleep(0.02)
            released, self._waiting = self._waiting, []
            self.count += 1
            for one in released:
                if not one.done():
                    one.set_result(None)
