"""GitLab's keyset cursors, and others made after them; a cursor of another form is left alone.

Follows lib/gitlab/pagination/keyset/paginator.rb: URL-safe base64 of JSON such as
`{"id":"123","_kd":"n"}` for the rows below that id, with "p" for those above it. The docs call it
opaque, so the form is read off each answer, never assumed: whatever else stands in it, an older or
newer GitLab orders by something else.
"""

import base64
from typing import Self

import orjson
from attrs import evolve, field, frozen

_FORWARD, _BACKWARD = '"n"', '"p"'


@frozen
class CursorTemplate:
    """How a cursor is written, but for its id."""

    _before: str
    _after: str
    is_padded: bool = field(eq=False)
    """Taken to be so until a cursor that needs it goes without: of three lengths one needs none."""

    @classmethod
    def learned(cls, cursor: str, last_id: int) -> Self | None:
        """The form of the *cursor* for the rows below *last_id*; `None` if it is not GitLab's."""
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            text = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
            value = orjson.loads(text)
        except ValueError:
            return None
        digits = str(last_id)
        if (
            not isinstance(value, dict)
            or not {"id"} <= value.keys() <= {"id", "_kd"}
            or value["id"] not in (digits, last_id)
            or value.get("_kd", "n") != "n"
            or text.count(digits) != 1
        ):
            return None
        before, after = text.split(digits)
        form = cls(before, after, cursor.endswith("=") or padded == cursor)
        return form if form.cursor(last_id) == cursor else None

    @classmethod
    def read(cls, cursor: str) -> tuple[Self, int] | None:
        """Return the form of *cursor* and the id in it; `None` if it is not GitLab's."""
        try:
            value = orjson.loads(
                base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_")
            )
            last_id = int(value["id"])
        except (ValueError, KeyError, TypeError):
            return None
        form = cls.learned(cursor, last_id)
        return None if form is None else (form, last_id)

    def padded_as(self, other: Self | None) -> Self:
        """Return this form, without padding if *other*, of the same server, goes without."""
        is_padded = self.is_padded and (other is None or other.is_padded)
        return evolve(self, is_padded=is_padded)

    def cursor(self, below: int) -> str:
        """The cursor of this form for the rows below the id *below*."""
        return self._encoded(f"{self._before}{below}{self._after}")

    @property
    def has_directions(self) -> bool:
        """Whether cursors of this form say which way they lead, so that others can be made."""
        return f"{self._before}{self._after}".count(_FORWARD) == 1

    def backward(self, above: int) -> str:
        """Return the cursor for the page whose rows are the next above the id *above*."""
        before, after = (part.replace(_FORWARD, _BACKWARD) for part in (self._before, self._after))
        return self._encoded(f"{before}{above}{after}")

    def last_page(self) -> str:
        """Return the cursor for the last page: the oldest rows of the whole listing."""
        return self._encoded('{"_kd":"p"}')

    def _encoded(self, text: str) -> str:
        written = base64.urlsafe_b64encode(text.encode()).decode()
        return written if self.is_padded else written.rstrip("=")
