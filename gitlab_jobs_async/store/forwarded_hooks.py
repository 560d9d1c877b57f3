"""Transactions of webhooks that one process forwards to the one that monitors the project."""

from gitlab_jobs_async.store.steps import Step, Transaction, count, unix_now


def send(hook: bytes) -> Transaction[None]:
    """Forward a webhook to the owners of its targets."""
    now = yield from unix_now()
    place = yield from count("hook", 1)
    yield Step("INSERT INTO hooks VALUES (?, ?, ?)", (place, hook, now))


def receive(after: int | None) -> Transaction[tuple[int, list[bytes]]]:
    """Return the last place, and the hooks forwarded after that place; none without one."""
    if after is None:
        return (yield from count("hook", 0)), []
    rows = yield Step("SELECT place, hook FROM hooks WHERE place > ? ORDER BY place", (after,))
    return max([after, *(place for place, _ in rows)]), [bytes(hook) for _, hook in rows]
