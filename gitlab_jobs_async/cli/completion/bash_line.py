"""The words of a line in bash up to the cursor, and candidates in the quoting of that line. Pure.

Bash replaces only a part of the word: the one after an opening quote, or after the last of
COMP_WORDBREAKS, such as a colon. It inserts candidates as they are.
"""

import re
from collections.abc import Sequence
from typing import Final

from attrs import frozen

_UNSAFE: Final = re.compile(r"""[^\w./:=@%+,\-]""")
_UNSAFE_IN_DOUBLE: Final = re.compile(r'["$`\\]')


@frozen
class BashLine:
    """The words before the current one, and the current one as typed and as meant."""

    words: tuple[str, ...]
    typed: str
    current: str
    quote: str
    """The quote that is open at the cursor, or an empty string."""

    quoted_from: int
    """The index in *typed* after the opening quote."""


def parse_line(line: str) -> BashLine:
    """Return the words of a simple command; the last one may be unfinished."""
    words: list[str] = []
    meant, start, quote, opened = "", None, "", 0
    index = 0
    while index < len(line):
        letter = line[index]
        if start is None and letter.isspace():
            index += 1
            continue
        if start is None:
            start = index
        if not quote and letter.isspace():
            words.append(meant)
            meant, start = "", None
        elif not quote and letter in "'\"":
            quote, opened = letter, index + 1 - start
        elif letter == quote:
            quote = ""
        elif letter == "\\" and quote != "'" and index + 1 < len(line):
            index += 1
            # In double quotes, a backslash escapes only some characters.
            is_kept = quote == '"' and not _UNSAFE_IN_DOUBLE.match(line[index])
            meant += ("\\" if is_kept else "") + line[index]
        else:
            meant += letter
        index += 1
    typed = "" if start is None else line[start:]
    return BashLine(tuple(words), typed, meant, quote, opened)


def replies(line: BashLine, cut: str, candidates: Sequence[str]) -> list[str]:
    """Return the text that bash inserts for each candidate that goes on from the current word.

    *cut* is the part of the word that bash replaces, if no quote is open.
    """
    if line.quote:
        kept = line.typed[: line.quoted_from]
    else:
        # A colon or an equals sign at the end is a word of its own, which bash keeps.
        replaced = "" if cut.strip(":=@") == "" else cut
        kept = line.typed.removesuffix(replaced) if line.typed.endswith(replaced) else ""
    done = len(parse_line(kept).current)
    return [
        _quoted(candidate[done:], line.quote)
        for candidate in candidates
        if candidate.startswith(line.current)
    ]


def _quoted(text: str, quote: str) -> str:
    if quote == "'":
        return text.replace("'", "'\\''")
    unsafe = _UNSAFE_IN_DOUBLE if quote else _UNSAFE
    return unsafe.sub(lambda found: "\\" + found[0], text)
