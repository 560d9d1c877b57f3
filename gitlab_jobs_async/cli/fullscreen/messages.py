"""Warnings and errors of the full screen, which a person reads when there is time. Pure."""

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from attrs import define, evolve, field, frozen

_MOST: Final = 200


@frozen
class Message:
    """A warning or an error, *count* times in a row until the time *at*."""

    at: datetime
    words: str
    count: int = 1


@define(eq=False, repr=False)
class Messages:
    """The last messages; `unread` counts the warnings since they were read."""

    unread: int = 0
    _kept: deque[Message] = field(factory=lambda: deque(maxlen=_MOST))

    def add(self, words: str, at: datetime) -> None:
        """Keep a message; one that is repeated counts up."""
        last = self._kept[-1] if self._kept else None
        if last is not None and last.words == words:
            self._kept[-1] = evolve(last, at=at, count=last.count + 1)
        else:
            self._kept.append(Message(at, words))
            self.unread += 1

    @property
    def newest(self) -> Sequence[Message]:
        """All messages, the newest first."""
        return tuple(reversed(self._kept))
