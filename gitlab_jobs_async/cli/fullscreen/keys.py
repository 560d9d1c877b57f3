"""The keys of the full screen, in one table for the bindings, the footer and the help. Pure."""

from typing import Final

from attrs import frozen


@frozen
class Key:
    """A key and its effect.

    Attributes:
        keys: textual's names of the keys, separated by commas.
        shown: the keys as a person reads them.
        action: the name of textual's action.
        words: the effect in a few words, for the help.
        short: one word for the footer; empty for a key that only the help names.
    """

    keys: str
    shown: str
    action: str
    words: str
    short: str = ""


_MOVES: Final = (
    Key("j,down", "j ↓", "move(1)", "next line"),
    Key("k,up", "k ↑", "move(-1)", "previous line"),
    Key("pagedown,ctrl+f", "PgDn", "page(1)", "next page"),
    Key("pageup,ctrl+b", "PgUp", "page(-1)", "previous page"),
    Key("g,home", "g Home", "first", "first line"),
)
_JOBS: Final = (
    Key("r", "r", "retry", "retry the job, or the failed jobs of the pipeline", "retry"),
    Key("c", "c", "cancel", "cancel the job or the pipeline, after a question", "cancel"),
    Key("p", "p", "play", "start a manual or delayed job", "play"),
    Key("e", "e", "erase", "erase the job's log and artifacts, after a question", "erase"),
    Key("o", "o", "browse", "open its page in the browser", "browser"),
    Key("y", "y", "copy_url", "copy the URL of its page", "copy URL"),
)
_SCREEN: Final = (
    Key("m", "m", "messages", "warnings so far, the newest first"),
    Key("t", "t", "app.next_theme", "next theme: terminal, dark, light"),
    Key("ctrl+l", "Ctrl-L", "redraw", "draw the screen again"),
    Key("question_mark", "?", "help", "all keys", "help"),
    Key("ctrl+z", "Ctrl-Z", "app.suspend_process", "back to the shell; fg shows the screen again"),
    Key("ctrl+c", "Ctrl-C", "app.interrupt", "quit at once, with exit code 130"),
)
TREE_KEYS: Final = (
    Key("enter", "Enter", "open", "open the job's log, or fold and unfold", "log"),
    Key("slash", "/", "find", "filter by words: name, status, stage, branch, id", "filter"),
    Key("f", "f", "next_failed(1)", "next failed job or pipeline", "next failed"),
    Key("F", "F", "next_failed(-1)", "previous failed job or pipeline"),
    *_JOBS,
    Key("space", "Space", "fold", "fold or unfold a project, pipeline or stage"),
    Key("h,left", "h ←", "close", "fold, or go to the enclosing line"),
    Key("l,right", "l →", "unfold", "unfold"),
    Key("minus", "-", "fold_all", "fold all"),
    Key("plus", "+", "unfold_all", "unfold all"),
    Key("escape", "Esc", "leave", "clear the filter"),
    *_MOVES,
    Key("G,end", "G End", "last", "last line"),
    *_SCREEN,
    Key("q", "q", "app.quit", "quit", "quit"),
)
LOG_KEYS: Final = (
    Key("q,escape", "q Esc", "leave", "back to the pipelines", "back"),
    Key("slash", "/", "find", "search", "search"),
    Key("n", "n", "next_match(1)", "next match"),
    Key("N", "N", "next_match(-1)", "previous match"),
    Key("f", "f", "failure", "the lines that show why the job failed", "failure"),
    Key("G,end", "G End", "last", "last line, and follow the log", "follow"),
    Key("w", "w", "wrap", "wrap long lines, or cut them", "wrap"),
    Key("enter,space", "Enter Space", "fold", "fold or unfold the section"),
    Key("minus", "-", "fold_all", "fold all sections"),
    Key("plus", "+", "unfold_all", "unfold all sections"),
    Key("h,left", "h ←", "sideways(-1)", "to the left, where lines are cut"),
    Key("l,right", "l →", "sideways(1)", "to the right, where lines are cut"),
    *_JOBS,
    *_MOVES,
    *_SCREEN,
)


def footer_keys(keys: tuple[Key, ...], width: int) -> list[Key]:
    """Return the keys for one line of *width* cells, the first ones if not all fit.

    The help always fits, as it names all others.
    """
    named = [key for key in keys if key.short]
    help_key = next(key for key in named if key.action == "help")
    room = width - footer_width(help_key)
    shown = []
    for key in named:
        if key is help_key:
            continue
        room -= footer_width(key)
        if room < 0:
            break
        shown.append(key)
    return [*shown, help_key]


def footer_width(key: Key) -> int:
    """Return the cells of a key in the footer."""
    return len(key.shown.partition(" ")[0]) + len(key.short) + 3
