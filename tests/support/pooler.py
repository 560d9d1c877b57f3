"""Run a PgBouncer in transaction mode before a PostgreSQL server of tests."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.postgres import PostgresServer

_USER = "postgres"

# One session for the transactions of all clients. https://www.pgbouncer.org/config.html
_SETTINGS = """\
[databases]
postgres = host={server} user=postgres pool_size=1
[pgbouncer]
pool_mode = transaction
auth_type = any
listen_addr =
unix_socket_dir = {folder}
server_reset_query_always = {resets:d}
"""


def pooler_program() -> str | None:
    """Return the program, None where PgBouncer is not installed."""
    return shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")


@contextmanager
def pooler(server: PostgresServer, *, resets: bool = True) -> Iterator[str]:
    """Yield the URL of the server's database behind a new pooler, which ends with the block.

    With *resets* each transaction finds a new session, else that of any other client.
    """
    program = pooler_program()
    if program is None:
        raise RuntimeError("PgBouncer is not installed")
    folder = Path(tempfile.mkdtemp(prefix="pb"))
    settings = folder / "pgbouncer.ini"
    settings.write_text(_SETTINGS.format(server=server.folder, folder=folder, resets=resets))
    # It refuses to run as root.
    user = _USER if os.geteuid() == 0 else None
    if user:
        for path in (folder, settings):
            shutil.chown(path, user)
    process = subprocess.Popen([program, "-q", str(settings)], user=user, stderr=subprocess.DEVNULL)
    try:
        _wait(folder / ".s.PGSQL.6432", process)
        yield f"postgresql://{_USER}@/{_USER}?host={folder}&port=6432"
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(socket: Path, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError("pgbouncer has ended")
        if socket.exists():
            return
        time.sleep(0.05)
    raise RuntimeError("pgbouncer is not ready after 10 seconds")
