"""A search in a log that grows: each line is searched only once. Pure."""

from collections.abc import Sequence

from attrs import define, field

from gitlab_jobs_async.cli.fullscreen.log_document import LogDocument


@define(eq=False, repr=False)
class LogSearch:
    """The places of the lines that contain a text."""

    _document: LogDocument | None = None
    _text: str = ""
    _hits: list[int] = field(factory=list)
    _searched: int = 0

    def hits(self, document: LogDocument, text: str) -> Sequence[int]:
        """Return the places of all lines with *text*; none without a text."""
        if document is not self._document or text != self._text:
            self._document, self._text = document, text
            self._hits, self._searched = [], 0
        self._hits += document.find(text, self._searched)
        self._searched = len(document.lines)
        return self._hits

    def next(self, document: LogDocument, text: str, at: int, step: int) -> int | None:
        """Return the next hit after the place *at*, from the other end if need be.

        It is the one before *at* if *step* is negative; None without a hit.
        """
        hits = self.hits(document, text)
        if not hits:
            return None
        later = [hit for hit in hits if (hit > at if step > 0 else hit < at)]
        return (later[0] if step > 0 else later[-1]) if later else hits[min(step, 0)]
