"""Run a PostgreSQL server of the test's own on a temporary socket."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_USER = "postgres"
_PROGRAMS = {"initdb", "pg_isready", "postgres"}


def binaries() -> Path | None:
    """Return the folder of the server's programs, None where PostgreSQL is not installed."""
    found = shutil.which("postgres")
    installed = [Path(found).parent] if found else []
    installed += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next(
        (folder for folder in installed if all((folder / name).exists() for name in _PROGRAMS)),
        None,
    )


@contextmanager
def postgres_server() -> Iterator[str]:
    """Yield the URL of a database on a new server, which ends with the block."""
    folder = binaries()
    if folder is None:
        raise RuntimeError("PostgreSQL is not installed")
    # The path of a socket may have 107 bytes only.
    root = Path(tempfile.mkdtemp(prefix="pg"))
    # The server refuses to run as root.
    user = _USER if os.geteuid() == 0 else None
    if user:
        shutil.chown(root, user)
    data, socket = root / "data", root

    def command(*arguments: str) -> list[str]:
        return [str(folder / arguments[0]), *arguments[1:]]

    subprocess.run(
        command(
            "initdb", "-D", str(data), "-U", _USER, "-A", "trust", "-N", "--no-locale", "-E", "UTF8"
        ),
        check=True,
        user=user,
        stdout=subprocess.DEVNULL,
    )
    settings = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={socket}"]
    settings += ["-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_connections=50"]
    server = subprocess.Popen(
        command("postgres", "-D", str(data), *settings),
        user=user,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(command("pg_isready", "-q", "-h", str(socket), "-U", _USER), server)
        yield f"postgresql://{_USER}@/{_USER}?host={socket}"
    finally:
        server.terminate()
        server.wait(10)
        shutil.rmtree(root, ignore_errors=True)


def _wait(is_ready: list[str], server: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if server.poll() is not None:
            raise RuntimeError(f"postgres ended with {server.returncode}")
        if subprocess.run(is_ready, check=False).returncode == 0:
            return
        time.sleep(0.05)
    raise RuntimeError("postgres is not ready after 10 seconds")
