"""The parameter `search`.

Follows lib/gitlab/sql/pattern.rb and Project.search of app/models/project.rb.
"""

import re
from typing import Final

_QUOTED: Final = re.compile(r'(?:^|(?<= ))"([^"]+)"(?= |$)')
_MIN_CHARS: Final = 3


def matches(query: str, *texts: str) -> bool:
    """Return whether one of *texts* has all words of a query; case does not count.

    Words below three characters do not count either; a query of such words must be a whole text.
    """
    query = " ".join(query.split()).lower()
    words = [*_QUOTED.findall(query), *_QUOTED.sub("", query).split()]
    long = [word for word in words if len(word) >= _MIN_CHARS]
    if not query:
        return True
    if not long:
        return any(text.lower() == query for text in texts)
    return any(all(word in text.lower() for word in long) for text in texts)
