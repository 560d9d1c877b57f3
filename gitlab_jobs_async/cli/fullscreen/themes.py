"""Colours of the full screen: the terminal's own, or a dark or light theme."""

from typing import Final

from rich.terminal_theme import TerminalTheme
from textual.theme import Theme

THEMES: Final = {"terminal": "ansi-dark", "dark": "jobs-dark", "light": "jobs-light"}
"""Textual's names of the themes; the colours of the first are the terminal's own."""

DARK: Final = Theme(
    name="jobs-dark",
    dark=True,
    primary="#58a6ff",
    warning="#d29922",
    error="#ff7b72",
    success="#3fb950",
    accent="#39c5cf",
    foreground="#e6edf3",
    background="#0d1117",
    surface="#161b22",
    panel="#161b22",
)
LIGHT: Final = Theme(
    name="jobs-light",
    dark=False,
    primary="#0969da",
    warning="#9a6700",
    error="#cf222e",
    success="#1a7f37",
    accent="#1b7c83",
    foreground="#1f2328",
    background="#ffffff",
    surface="#f6f8fa",
    panel="#f6f8fa",
)

# The 16 colours of logs and statuses, each with a contrast of at least 4.5 to its background.
DARK_COLOURS: Final = TerminalTheme(
    (13, 17, 23),
    (230, 237, 243),
    [
        (110, 118, 129), (255, 123, 114), (63, 185, 80), (210, 153, 34),
        (88, 166, 255), (188, 140, 255), (57, 197, 207), (201, 209, 217),
    ],
    [
        (139, 148, 158), (255, 161, 152), (86, 211, 100), (227, 179, 65),
        (121, 192, 255), (210, 168, 255), (86, 212, 221), (255, 255, 255),
    ],
)  # fmt: skip
LIGHT_COLOURS: Final = TerminalTheme(
    (255, 255, 255),
    (31, 35, 40),
    [
        (36, 41, 47), (207, 34, 46), (17, 99, 41), (125, 78, 0),
        (9, 105, 218), (130, 80, 223), (27, 124, 131), (87, 96, 106),
    ],
    [
        (87, 96, 106), (164, 14, 38), (26, 127, 55), (154, 103, 0),
        (5, 80, 174), (102, 57, 186), (49, 100, 110), (66, 74, 83),
    ],
)  # fmt: skip
