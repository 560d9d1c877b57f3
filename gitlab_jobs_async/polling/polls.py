"""Values that all polls of one client share."""

from attrs import frozen

from gitlab_jobs_async.polling.pace import PollPace
from gitlab_jobs_async.polling.policy import PollPolicy


@frozen
class Polls:
    """The default *policy* of a client's calls, and the *pace* of all its polls."""

    policy: PollPolicy
    pace: PollPace
