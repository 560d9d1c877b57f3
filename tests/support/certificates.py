"""Certificates of test authorities as files, and TLS contexts of servers."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from attrs import define, field


@define
class Certificates:
    """An authority for loopback servers and one for clients, with files in *folder*."""

    folder: Path
    authority: trustme.CA = field(factory=trustme.CA)
    of_clients: trustme.CA = field(factory=trustme.CA)

    @property
    def ca(self) -> str:
        """Return the file of the servers' authority."""
        return self._written("ca.pem", self.authority.cert_pem)

    @property
    def client_cert(self) -> str:
        """Return the file of a client's certificate."""
        return self._client()[0]

    @property
    def client_key(self) -> str:
        """Return the file of its key."""
        return self._client()[1]

    @property
    def client_both(self) -> str:
        """Return one file with both."""
        cert, key = (Path(path).read_text() for path in self._client())
        return self.write("both.pem", key + cert)

    def _client(self) -> tuple[str, str]:
        cert, key = self.folder / "client.pem", self.folder / "client.key"
        if not cert.exists():
            issued = self.of_clients.issue_cert("client@example.com")
            key.write_bytes(issued.private_key_pem.bytes())
            cert.write_bytes(issued.cert_chain_pems[0].bytes())
        return str(cert), str(key)

    def _written(self, name: str, blob: trustme.Blob) -> str:
        return self.write(name, blob.bytes().decode())

    def write(self, name: str, text: str) -> str:
        """Write *text* to a file and return its path."""
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def shown(self, *, host="127.0.0.1", asks=False, expired=False) -> ssl.SSLContext:
        """Return the TLS context of a server; with *asks* it requires a client certificate."""
        ended = datetime.now(UTC) - timedelta(days=1) if expired else None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.authority.issue_cert(host, not_after=ended).configure_cert(context)
        if asks:
            context.verify_mode = ssl.CERT_OPTIONAL
            self.of_clients.configure_trust(context)
        return context


def shown_by_client(request) -> dict | None:
    """Return the certificate that a client showed, if any."""
    return request.transport.get_extra_info("peercert") or None
