"""Suspend a screen by Ctrl-Z: what is done in which order, without a process that stops."""

import io
import os
import signal

import pytest
from rich.console import Console

from gitlab_jobs_async.cli.suspension import Suspension, suspendable

OWN = os.getpgrp()


@pytest.fixture
def steps(monkeypatch):
    """Return the steps so far; no signal is sent."""
    done = []
    monkeypatch.setattr("signal.raise_signal", lambda number: done.append(number.name))
    monkeypatch.setattr("os.kill", lambda pid, number: done.append((pid, number.name)))
    return done


def in_front(monkeypatch, *groups):
    """Let the terminal belong to these groups of processes in turn; None is a closed terminal."""
    left = list(groups)

    def owner(_terminal):
        group = left.pop(0)
        if group is None:
            raise OSError(5, "closed")
        return group

    monkeypatch.setattr("os.tcgetpgrp", owner)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([OWN], ["leave", "SIGTSTP", "enter"]),
        # `bg`, and `fg` after that.
        ([OWN + 1, OWN], ["leave", "SIGTSTP", "SIGSTOP", "enter"]),
        ([None], ["leave", "SIGTSTP"]),
    ],
)
async def test_screen_is_entered_only_in_front(monkeypatch, steps, groups, expected):
    in_front(monkeypatch, *groups)
    one = Suspension(lambda: steps.append("leave"), lambda: steps.append("enter"))
    with one.installed():
        one.suspend()
        handler = signal.getsignal(signal.SIGTSTP)
        assert handler is not signal.SIG_DFL, "the next Ctrl-Z is handled, too"
    assert steps == expected
    assert signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL


async def test_screen_is_left_before_others_stop(monkeypatch, steps):
    in_front(monkeypatch, OWN, OWN)
    one = Suspension(lambda: steps.append("leave"), lambda: steps.append("enter"))
    with one.installed():
        one.suspend_group()
        one.suspend_group()
    assert steps == ["leave", (0, "SIGTSTP"), "SIGTSTP", "enter"] * 2


async def test_live_table_leaves_its_screen(monkeypatch):
    in_front(monkeypatch, OWN)
    out = io.StringIO()
    console = Console(file=out, force_terminal=True)
    monkeypatch.setattr("signal.raise_signal", lambda _number: out.write("|"))
    with suspendable(console, lambda: out.write("drawn")) as suspension:
        suspension.suspend()
    before, after = out.getvalue().split("|")
    assert before == "\x1b[?1049l\x1b[?25h"
    assert after.startswith("\x1b[?1049h")
    assert after.endswith("\x1b[?25ldrawn")
