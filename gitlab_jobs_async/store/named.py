"""Return the store that a path or URL names."""

from os import PathLike

from gitlab_jobs_async.store.postgres import PostgresStore
from gitlab_jobs_async.store.protocol import Store
from gitlab_jobs_async.store.sqlite import SqliteStore


def store_named(given: Store | str | PathLike[str]) -> Store:
    """Return *given*, or the store that it names.

    Raises:
        TypeError, ValueError: it is neither a `Store`, nor the path of a file or the URL of a
            PostgreSQL database.
    """
    if isinstance(given, str) and given.startswith(("postgresql://", "postgres://")):
        return PostgresStore(given)
    if isinstance(given, str | PathLike):
        return SqliteStore(given)
    if not isinstance(given, Store):
        raise TypeError(f"invalid store {given!r}: expected a path, a URL or a Store")
    return given
