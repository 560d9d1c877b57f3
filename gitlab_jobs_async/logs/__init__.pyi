from .attempts import (
    check_follow_retries as check_follow_retries,
)
from .attempts import (
    lines_of_attempts as lines_of_attempts,
)
from .failure import (
    FailureReader as FailureReader,
)
from .failure import (
    LogFailure as LogFailure,
)
from .follow import (
    JobLog as JobLog,
)
from .follower import (
    FollowOptions as FollowOptions,
)
from .items import (
    TailedLine as TailedLine,
)
from .merge import (
    JobKey as JobKey,
)
from .merge import (
    JobLines as JobLines,
)
from .merge import (
    TailTarget as TailTarget,
)
from .merge import (
    log_starts as log_starts,
)
from .merge import (
    tail_logs as tail_logs,
)
from .trace_cursor import (
    check_trace as check_trace,
)
