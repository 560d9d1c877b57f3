"""Run a PostgreSQL server of the test's own on a temporary socket."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


class PostgresServer:
    """A new server, which listens on a socket, and on *port* of the loopback if there is one."""

    def __init__(self, *, port: int | None = None) -> None:
        folder = binaries()
        if folder is None:
            raise RuntimeError("PostgreSQL is not installed")
        self._folder = folder
        # The path of a socket may have 107 bytes only.
        self._root = Path(tempfile.mkdtemp(prefix="pg"))
        self._port = port
        # The server refuses to run as root.
        self._user = _USER if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self._root, self._user)
        self._process: subprocess.Popen[bytes] | None = None
        options = ("-U", _USER, "-A", "trust", "-N", "--no-locale", "-E", "UTF8")
        subprocess.run(
            self._command("initdb", "-D", str(self._root / "data"), *options),
            check=True,
            user=self._user,
            stdout=subprocess.DEVNULL,
        )
        self.folder = self._root
        """The folder of its socket."""
        self.url = f"postgresql://{_USER}@/{_USER}?host={self._root}"
        if port is not None:
            self.url += f"&port={port}"

    def start(self) -> None:
        """Start the server; it may not answer yet."""
        settings = [f"unix_socket_directories={self._root}", "fsync=off", "shared_buffers=16MB"]
        settings += ["max_connections=50"]
        if self._port is None:
            settings += ["listen_addresses="]
        else:
            settings += ["listen_addresses=127.0.0.1", f"port={self._port}"]
        options = [part for setting in settings for part in ("-c", setting)]
        self._process = subprocess.Popen(
            self._command("postgres", "-D", str(self._root / "data"), *options),
            user=self._user,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait(self) -> None:
        """Return when the server answers."""
        command = self._command("pg_isready", "-q", "-h", str(self._root), "-U", _USER)
        if self._port is not None:
            command += ["-p", str(self._port)]
        for _ in range(200):
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError("postgres has ended")
            if subprocess.run(command, check=False).returncode == 0:
                return
            time.sleep(0.05)
        raise RuntimeError("postgres is not ready after 10 seconds")

    def crash(self) -> None:
        """End all of its processes at once, as `pg_ctl stop -m immediate` does."""
        self._end(signal.SIGQUIT)

    def freeze(self) -> None:
        """Stop all of its processes; connections stay open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let its processes go on."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End the server, and delete its data."""
        self.thaw()
        self._end(signal.SIGINT)  # does not wait for connections
        shutil.rmtree(self._root, ignore_errors=True)

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(10)

    def _signal(self, number: int) -> None:
        if self._process is None:
            return
        # First, so that it starts no other process.
        self._process.send_signal(number)
        for status in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it has just ended
                # The fields after the name of the program: state, parent.
                parent = int(status.read_text().rpartition(")")[2].split()[1])
                if parent == self._process.pid:
                    os.kill(int(status.parent.name), number)

    def _command(self, *arguments: str) -> list[str]:
        return [str(self._folder / arguments[0]), *arguments[1:]]


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Yield a new server, which ends with the block."""
    server = PostgresServer()
    try:
        server.start()
        server.wait()
        yield server
    finally:
        server.close()
