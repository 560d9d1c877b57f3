"""A stepped clock driven from outside: time passes only when nothing is under way."""

import asyncio

_QUIET = 25
"""Rounds of the loop without a request under way after which nothing more is to come of it."""


async def settled(gitlab):
    """Return when no request of *gitlab* is under way."""
    door, places = gitlab._transport._admission, gitlab._transport.concurrency
    quiet = 0
    while quiet < _QUIET:
        is_quiet = door.answers.free == places == door.streams.free
        quiet = quiet + 1 if is_quiet else 0
        await asyncio.sleep(0 if is_quiet else 0.0005)


async def pass_time(gitlab, clock, seconds, is_enough=lambda: False):
    """Advance *clock* by *seconds*, or until *is_enough*."""
    end = clock.now() + seconds
    while clock.now() < end:
        await settled(gitlab)
        if is_enough():
            return
        wake = clock.next_wake
        clock.advance(max(0.0, (end if wake is None else min(wake, end)) - clock.now()))
    await settled(gitlab)
