"""Folded rows, and a selection that stays on its row while rows move. Pure."""

from collections.abc import Hashable, Sequence
from typing import Protocol

from attrs import define, field

RowKey = tuple[Hashable, ...]
"""The identity of a row, whatever its place: a kind and ids."""


class Keyed(Protocol):
    """A row with the key of its own and those of the rows around it, outermost first."""

    @property
    def key(self) -> RowKey:
        """Identity of the row."""
        ...

    @property
    def enclosing(self) -> tuple[RowKey, ...]:
        """Keys of the rows that hold it, outermost first."""
        ...


@define
class Folding:
    """The rows that the user has folded or unfolded; all others have their default."""

    _chosen: dict[RowKey, bool] = field(factory=dict)
    _all: bool | None = None

    def is_open(self, key: RowKey, *, default: bool) -> bool:
        """Return whether the rows below *key* are shown."""
        chosen = self._chosen.get(key)
        if chosen is not None:
            return chosen
        return default if self._all is None else self._all

    def set(self, key: RowKey, *, is_open: bool) -> None:
        """Fold or unfold one row."""
        self._chosen[key] = is_open

    def set_all(self, *, is_open: bool) -> None:
        """Fold or unfold all rows, also those that appear later."""
        self._chosen.clear()
        self._all = is_open


@define
class Selection:
    """The selected row of a list, by its key; `index` is its present place.

    Until the user has moved, `is_fixed`, it is the first row.
    """

    key: RowKey | None = None
    index: int = 0
    is_fixed: bool = True
    _enclosing: tuple[RowKey, ...] = ()

    def move_to(self, index: int, rows: Sequence[Keyed]) -> None:
        """Select the row at *index*, or the nearest one."""
        if not rows:
            self.key, self.index, self._enclosing = None, 0, ()
            return
        self.index = max(0, min(index, len(rows) - 1))
        row = rows[self.index]
        self.key, self._enclosing = row.key, row.enclosing

    def find_in(self, rows: Sequence[Keyed]) -> None:
        """Find the selected row among changed *rows*.

        If it is gone or folded, select the innermost row around it, else the row at its place.
        """
        if self.key is None or self.is_fixed:
            self.move_to(0, rows)
            return
        # Most changes do not move rows.
        if self.index < len(rows) and rows[self.index].key == self.key:
            return
        places = {row.key: index for index, row in enumerate(rows)}
        for key in (self.key, *reversed(self._enclosing)):
            if key in places:
                self.move_to(places[key], rows)
                return
        self.move_to(self.index, rows)
