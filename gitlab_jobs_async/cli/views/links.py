"""Links in a terminal (OSC 8). Pure.

See https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda.
"""

import re
from collections.abc import Mapping
from typing import Final

_SAFE: Final = re.compile(r"https?://[!-~]{1,2000}", re.IGNORECASE)
_TERMINALS: Final = ("alacritty", "foot", "xterm-ghostty", "xterm-kitty", "wezterm")
_PROGRAMS: Final = ("ghostty", "iTerm.app", "rio", "vscode", "WezTerm")
_TMUX: Final = re.compile(r"(\d+)\.(\d+)")


def safe_link(url: str) -> str | None:
    """Return *url* if a terminal may link to it: a web page, in printable ASCII."""
    return url if _SAFE.fullmatch(url) else None


def supports_links(environ: Mapping[str, str]) -> bool:
    """Return whether the terminal of *environ* shows links; FORCE_HYPERLINK decides, if set.

    Others may print the escape sequence, as the console of Linux does.
    """
    if forced := environ.get("FORCE_HYPERLINK"):
        return forced != "0"
    program, version = environ.get("TERM_PROGRAM", ""), environ.get("TERM_PROGRAM_VERSION", "")
    if program == "tmux":
        # tmux passes links on since 3.4.
        found = _TMUX.match(version)
        return found is not None and (int(found[1]), int(found[2])) >= (3, 4)
    if environ.get("TERM", "").startswith(_TERMINALS) or program in _PROGRAMS:
        return True
    vte = environ.get("VTE_VERSION", "")
    is_new_vte = vte.isdigit() and int(vte) >= 5000
    return is_new_vte or bool(environ.get("WT_SESSION") or environ.get("KONSOLE_VERSION"))
