"""Scopes of calls, as hooks make them."""

from contextlib import contextmanager

from gitlab_jobs_async.http.call_scopes import _rows
from gitlab_jobs_async.http.hooks import CallScope


class Noted(CallScope):
    """Notes its steps."""

    def __init__(self):
        self.steps = []

    @contextmanager
    def active(self):
        self.steps.append("enter")
        yield
        self.steps.append("leave")

    def end(self, error):
        self.steps.append(error)


async def test_rows_left_early_close_their_source():
    """At once, within the scope: else the garbage collector does it, in a task of its own."""
    scope = Noted()

    async def source():
        try:
            yield 1
        finally:
            scope.steps.append("closed")

    rows = source()
    reported = _rows(lambda: scope, rows)
    assert await anext(reported) == 1
    assert scope.steps == ["enter", "leave"]
    await reported.aclose()
    assert scope.steps[2:] == ["enter", "closed", "leave", None]
