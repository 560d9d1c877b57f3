"""What a job printed on one line -> what a terminal may show: colours, and nothing else of ANSI.

As GitLab's own pages read it (lib/gitlab/ci/ansi2json/converter.rb): only colours and styles
(CSI … m) count, and a carriage return begins the line anew.
"""

import re

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_UNWANTED = re.compile(
    r"[\x00-\x08\x0a-\x1f\x7f-\x9f](?:"
    r"(?<!\x1b)"  # a control character by itself, C1 among them
    r"|(?!\[[0-9;:]*m)(?:"
    r"\[[0-?]*[ -/]*[@-~]?"  # CSI: cursor movement, erasing
    r"|[\]PX^_].*?(?:\x07|\x1b\\|\x9c|$)"  # OSC, DCS, SOS, PM, APC: titles, links, clipboard
    r"|[ -/]*[0-~]?))",
    re.DOTALL,
)


def last_state(printed: str) -> str:
    """Of a line that was overwritten after carriage returns, as progress bars are, what is left."""
    return printed.rstrip("\r").rpartition("\r")[2]


def readable(printed: str) -> tuple[str, str]:
    """The text without any escape sequence, and the same with its colours."""
    text = "".join(_COLOUR.split(printed))  # which is quicker than to replace
    if text.isprintable():  # then there was nothing but colours to take away
        return text, printed
    raw = _UNWANTED.sub("", printed)
    return "".join(_COLOUR.split(raw)), raw
