"""The characters of a waterfall on a terminal: Unicode, or ASCII only."""

from typing import Final

from attrs import frozen

from gitlab_jobs_async.models.timelines import PhaseKind


@frozen
class Glyphs:
    """The characters of a waterfall."""

    phases: dict[PhaseKind, str]
    bad: str
    critical: str
    retried: str
    tick: str
    ellipsis: str
    at_most: str
    is_ascii: bool = False


UNICODE: Final = Glyphs(
    {
        "waiting": "·",
        "held": "┄",
        "delayed": "─",
        "manual": "─",
        "retry": "┄",
        "queued": "░",
        "running": "█",
    },
    bad="▓",
    critical="◆",
    retried="↻",
    tick="│",
    ellipsis="…",
    at_most="≤",
)
ASCII: Final = Glyphs(
    {
        "waiting": ".",
        "held": "~",
        "delayed": "-",
        "manual": "-",
        "retry": "~",
        "queued": ":",
        "running": "#",
    },
    bad="x",
    critical="*",
    retried="@",
    tick="|",
    ellipsis="~",
    at_most="<=",
    is_ascii=True,
)
ASCII_SYMBOLS: Final = {
    "✓": "+", "✗": "x", "●": ">", "◌": ":", "⊘": "-", "»": "/", "○": ".", "▸": "m", "◷": "d",
}  # fmt: skip
