"""Count connections in use; idle ones in the pool do not count."""

import aiohttp

from gitlab_jobs_async import GitLab


class CountingConnector(aiohttp.TCPConnector):
    """Connector of a session of a test's own, which counts its connections."""

    connecting = 0

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self._handed_out: list[aiohttp.connector.Connection] = []

    async def connect(self, *arguments, **options) -> aiohttp.connector.Connection:
        self.connecting += 1
        try:
            connection = await super().connect(*arguments, **options)
        finally:
            self.connecting -= 1
        self._handed_out.append(connection)
        return connection

    @property
    def in_use(self) -> int:
        return sum(not connection.closed for connection in self._handed_out)


def open_connections(gitlab: GitLab) -> int:
    """Return the number of connections in use by the client's own session."""
    # The only private access: a client does not expose its session.
    connections = gitlab._transport._parts.exchanges._connections
    return len(connections.session.connector._acquired)
