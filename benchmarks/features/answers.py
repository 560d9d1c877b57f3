"""The values of a comparison: what people do, how each program is tried, and what was found."""

import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path

from attrs import field, frozen

from gitlab_jobs_async.simulator import Fault, ServedRequest, World


class Answer(Enum):
    """Whether a program does a thing."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"
    NOT_RUN = "not run"


@frozen
class Outcome:
    """The results of a command.

    `code` is None if it had to be stopped; `text` has the control sequences of a terminal; `folder`
    is the checkout in which it ran.
    """

    code: int | None
    text: str
    requests: Sequence[ServedRequest]
    world: World
    folder: Path


@frozen
class Step:
    """Keys pressed in a terminal once a text is on the screen; `waits_for` is a pattern."""

    waits_for: str
    keys: str = ""

    @property
    def pressed(self) -> list[str]:
        """Each key as the characters that a terminal sends for it."""
        return re.findall(r"\x1b\[[A-Z]|.", self.keys, re.DOTALL)


@frozen(kw_only=True)
class Try:
    """One way to do a thing, and how to judge it.

    Attributes:
        words: the arguments, as a person types them in a checkout; {url} is the server's address.
        shows: patterns that the output must contain.
        hides: patterns that it must not contain.
        code: the exit code it must have; None for any.
        holds: a further condition on the outcome.
        until: a pattern at which a command that would run on is stopped.
        steps: keys for a program that takes the whole terminal.
        note: why a success is only a part of the thing; empty if it is all of it.
        speed: seconds of the server per second.
        faults: faults of the server.
        variables: further variables of the environment.
    """

    words: str
    shows: Sequence[str] = ()
    hides: Sequence[str] = ()
    code: int | None = 0
    holds: Callable[[Outcome], bool] = lambda _: True
    until: str = ""
    steps: Sequence[Step] = ()
    note: str = ""
    speed: float = 1.0
    faults: Sequence[Fault] = ()
    variables: Mapping[str, str] = field(factory=dict[str, str])


@frozen(kw_only=True)
class Documented:
    """The answer of a program that cannot talk to GitLab, by the page that documents it."""

    answer: Answer
    page: str = ""
    note: str = ""


NO = Documented(answer=Answer.NO)


def yes(page: str) -> Documented:
    """Return a documented yes."""
    return Documented(answer=Answer.YES, page=page)


def partly(page: str, note: str) -> Documented:
    """Return a documented part of the thing, and what is missing."""
    return Documented(answer=Answer.PARTLY, page=page, note=note)


@frozen(kw_only=True)
class Thing:
    """Something that people do: the tries of each program, best first, or its documentation.

    A program without an entry does not do it by its documentation. The README has the things that
    are `brief`.
    """

    name: str
    brief: bool = False
    tries: Mapping[str, Sequence[Try]]
    documented: Mapping[str, Documented] = field(factory=dict[str, Documented])


@frozen(kw_only=True)
class Cell:
    """The answer for one thing and one program.

    `words` is the command that did it and `requests` the number that it sent; `page` documents
    it, and `note` says what is missing.
    """

    answer: Answer
    words: str = ""
    requests: int | None = None
    page: str = ""
    note: str = ""


def cell_of(attempt: Try, requests: int) -> Cell:
    """Return the cell of an attempt that succeeded."""
    answer = Answer.PARTLY if attempt.note else Answer.YES
    return Cell(answer=answer, words=attempt.words, requests=requests, note=attempt.note)


def documented_cell(found: Documented) -> Cell:
    """Return the cell of a documented answer."""
    return Cell(answer=found.answer, page=found.page, note=found.note)
