"""The server that a pasted URL or a git remote names. Pure."""

from urllib.parse import urlsplit

from attrs import frozen

from gitlab_jobs_async.api.urls import ServerUrl

_DEFAULT_PORTS = {"http": 80, "https": 443}
# https://docs.gitlab.com/user/ssh/: SSH over port 443.
_SSH_HOSTS = {"altssh.gitlab.com": "gitlab.com"}


@frozen
class Address:
    """A host with the path of a page or repository on it.

    *port* is None for the usual one. *is_ssh* leaves the port and the relative URL root open:
    neither is a part of SSH addresses. *root* is the relative URL root if the address tells it.
    """

    host: str
    port: int | None
    folder: str
    is_ssh: bool = False
    source: str = ""
    """Words for errors, such as "remote 'origin'", without credentials."""

    root: str | None = None

    def is_at(self, server: ServerUrl) -> bool:
        """Return whether *server* serves this address."""
        return self.project_at(server) is not None

    def project_at(self, server: ServerUrl) -> str | None:
        """Return the folder below the server's relative root; None if it is another server."""
        parts = urlsplit(server.origin)
        if parts.hostname != (_SSH_HOSTS.get(self.host, self.host) if self.is_ssh else self.host):
            return None
        if self.is_ssh:
            return self.folder
        if self.port != usual_as_none(parts.scheme, parts.port):
            return None
        root = server.prefix.strip("/")
        if self.root is not None and self.root != root:
            return None
        if not root:
            return self.folder
        found = self.folder.startswith(f"{root}/")
        return self.folder.removeprefix(f"{root}/") if found else None

    def __str__(self) -> str:
        port = "" if self.port is None or self.is_ssh else f":{self.port}"
        return f"{self.host}{port}"


def usual_as_none(scheme: str, port: int | None) -> int | None:
    """Return *port*, or None if it is the one that *scheme* has by default."""
    return None if port == _DEFAULT_PORTS.get(scheme) else port
