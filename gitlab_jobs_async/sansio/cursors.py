"""GitLab's keyset cursors, and others made after them; a cursor of another form is left alone.

Follows lib/gitlab/pagination/keyset/paginator.rb: URL-safe base64 of JSON such as
`{"id":"123","_kd":"n"}`. The docs call it opaque, so the form is read off each answer, never
assumed: whatever else stands in it, an older or newer GitLab orders by something else.
"""

import base64
from typing import Self

import orjson
from attrs import frozen


@frozen
class CursorForm:
    """How a cursor is written, but for its id."""

    _before: str
    _after: str
    _is_padded: bool

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

    def cursor(self, below: int) -> str:
        """The cursor of this form for the rows below the id *below*."""
        written = base64.urlsafe_b64encode(f"{self._before}{below}{self._after}".encode()).decode()
        return written if self._is_padded else written.rstrip("=")
