"""Read GitLab's keyset cursors and make others like them; leave a cursor of another form alone.

Follows lib/gitlab/pagination/keyset/paginator.rb: URL-safe base64 of JSON such as
`{"id":"123","_kd":"n"}` for the rows below that id, with "p" for the rows above it. The docs call
cursors opaque, so the form is learned from each response and never assumed.
"""

import base64
from typing import Self

import orjson
from attrs import evolve, field, frozen

_FORWARD, _BACKWARD = '"n"', '"p"'


@frozen
class CursorTemplate:
    """The text of a server's cursors around the id."""

    _before: str
    _after: str
    is_padded: bool = field(eq=False)
    """Whether base64 padding is kept; one cursor in three needs none and shows nothing."""

    @classmethod
    def learned(cls, cursor: str, last_id: int) -> Self | None:
        """Return the template of *cursor*, for the rows below *last_id*; None if unknown."""
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
        template = cls(before, after, cursor.endswith("=") or padded == cursor)
        return template if template.cursor(last_id) == cursor else None

    @classmethod
    def read(cls, cursor: str) -> tuple[Self, int] | None:
        """Return the template of *cursor* and its id; None if the form is unknown."""
        try:
            value = orjson.loads(
                base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_")
            )
            last_id = int(value["id"])
        except (ValueError, KeyError, TypeError):
            return None
        template = cls.learned(cursor, last_id)
        return None if template is None else (template, last_id)

    def padded_as(self, other: Self | None) -> Self:
        """Return this template, without padding if *other*, of the same server, has none."""
        is_padded = self.is_padded and (other is None or other.is_padded)
        return evolve(self, is_padded=is_padded)

    def cursor(self, below: int) -> str:
        """Return the cursor for the rows below the id *below*."""
        return self._encoded(f"{self._before}{below}{self._after}")

    @property
    def has_directions(self) -> bool:
        """Whether these cursors name their direction, so that others can be made."""
        return f"{self._before}{self._after}".count(_FORWARD) == 1

    def backward(self, above: int) -> str:
        """Return the cursor for the rows next above the id *above*."""
        before, after = (part.replace(_FORWARD, _BACKWARD) for part in (self._before, self._after))
        return self._encoded(f"{before}{above}{after}")

    def last_page(self) -> str:
        """Return the cursor for the oldest rows of the whole listing."""
        return self._encoded('{"_kd":"p"}')

    def _encoded(self, text: str) -> str:
        encoded = base64.urlsafe_b64encode(text.encode()).decode()
        return encoded if self.is_padded else encoded.rstrip("=")
