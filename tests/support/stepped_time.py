"""Drive a stepped clock from outside: time passes only while no request is in flight."""

import asyncio

_QUIET_ROUNDS = 60
"""Rounds of the loop without a request in flight, after which none follows."""

_PATIENCE = 0.02
"""Real seconds until the clock passes although no task waits for it."""


async def settled(gitlab):
    """Return when no request of *gitlab* is in flight."""
    quiet = 0
    while quiet < _QUIET_ROUNDS:
        usage = gitlab.budget.snapshot()
        is_quiet = usage.in_flight == usage.streams == 0
        quiet = quiet + 1 if is_quiet else 0
        await asyncio.sleep(0 if is_quiet else 0.0005)


async def pass_time(gitlab, clock, seconds, is_enough=lambda: False):
    """Advance *clock* by *seconds*, or until *is_enough*."""
    end = clock.now() + seconds
    while clock.now() < end:
        await settled(gitlab)
        if is_enough():
            return
        if clock.next_wake is None:
            # A chain of tasks may need more rounds before one of them waits for a time.
            await asyncio.sleep(_PATIENCE)
            await settled(gitlab)
        wake = clock.next_wake
        clock.advance(max(0.0, (end if wake is None else min(wake, end)) - clock.now()))
    await settled(gitlab)
