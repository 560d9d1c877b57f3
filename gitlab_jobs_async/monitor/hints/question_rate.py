"""Subject of the questions, and the part of the request rate that they may use."""

from enum import Enum
from math import isfinite

from attrs import define

JOBS_PER_REQUEST = 10.0
"""Projects for each request a minute that polls may use, above which questions show the jobs.

At 1,000 projects on 100 a minute, of which polls may use 90, that reports changes sooner than hints
do: benchmarks/README.md.
"""

SHARES = {"changes": 0.3, "jobs": 0.75}
"""Parts of the request rate that questions may use."""

MIN_PROJECTS = 10
"""Projects from which on questions are worth their requests."""

_HYSTERESIS = 0.8
_MOST = 0.9
_MIN_SPACING = 0.1


class QuestionMode(Enum):
    """Subject of the questions."""

    OFF = "nothing"
    CHANGES = "changes"
    JOBS = "jobs"


@define
class QuestionRate:
    """The *mode* of the questions, and the least number of seconds between two."""

    mode: QuestionMode = QuestionMode.OFF
    spacing: float = 0.0
    _share: float = 0.0

    def update(self, projects: int, known: int, requests: float, polls: float) -> None:
        """Choose for *projects*, of which *known* can be asked about.

        *requests* is the number of requests a second that monitors may send, infinite without any
        limit, and *polls* that of polls by REST.
        """
        most = JOBS_PER_REQUEST * 60 * min(requests, polls)
        if self.mode is QuestionMode.JOBS:
            most *= _HYSTERESIS
        self.mode = QuestionMode.JOBS if projects > most else QuestionMode.CHANGES
        if projects < MIN_PROJECTS:
            self.mode = QuestionMode.OFF
        self._share = SHARES.get(self.mode.value, 0.0)
        # At first, most of the rate is for the polls by REST that each project needs once.
        if known < _MOST * projects:
            self._share = min(self._share, SHARES["changes"])
        rate = requests * self._share
        self.spacing = max(_MIN_SPACING, 1 / rate if rate > 0 else 0.0)

    def used(self, requests: float, wanted: float) -> float:
        """Return the part of *requests* a second that *wanted* questions a second use."""
        if not isfinite(requests) or requests <= 0:
            return 0.0
        return min(self._share, wanted / requests)
