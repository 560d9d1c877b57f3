"""The state machine of a followed log, driven over simulated time without a network."""

import itertools
import re

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import (
    AuthenticationError,
    ConnectionFailedError,
    DecodeError,
    GitLabError,
    JobStatus,
    NotFoundError,
    PollPolicy,
    RateLimitedError,
    ResponseError,
    ServerError,
    TraceChunk,
    TraceInterruptedError,
)
from gitlab_jobs_async.api.capabilities import ServerCapabilities, TraceSupport
from gitlab_jobs_async.logs.follower import (
    CaughtUp,
    Done,
    FollowOptions,
    LogFollower,
    PollStatus,
    PollTrace,
)
from gitlab_jobs_async.logs.poll_schedule import PollTerms
from gitlab_jobs_async.logs.trace_cursor import TraceRange
from tests.support.traces import KINDS, URL, serve

INTERVAL, LONGEST, TIMEOUT = 5.0, 60.0, 300.0
SOONEST = INTERVAL * 4 / 5
FREE = PollTerms(INTERVAL, LONGEST)
WHERE = ("GET", URL)
LOST = ConnectionFailedError("lost", *WHERE)
TRANSIENT = [LOST, ServerError(502, "bad", *WHERE), DecodeError("HTML page", *WHERE)]
REFUSALS = [AuthenticationError(401, "no", *WHERE), NotFoundError(404, "gone", *WHERE)]


@define
class Server:
    """A job that uploads at these times, as *kinds* of servers in turn send its log.

    *faults* are errors of its responses in turn: `None` for none, a number of bytes for a
    connection that is lost after them.
    """

    uploads: list
    ends_at: float
    kinds: object = field(converter=itertools.cycle)
    faults: object = field(factory=list, converter=iter)

    def log(self, now):
        return b"".join(data for at, data in self.uploads if at <= now)

    def status(self, now):
        return JobStatus.SUCCESS if now >= self.ends_at else JobStatus.RUNNING


@define
class Run:
    """The polls and the received bytes of one run of a follower."""

    received: bytearray = field(factory=bytearray)
    polls: list = field(factory=list)
    is_full: bool = False
    steps: int = 0
    failing_since: float | None = None
    now: float = 0.0

    def add(self, chunk):
        if chunk is not None:
            if not chunk.data:
                self.received.clear()
            assert chunk.offset == len(self.received)
            self.received += chunk.data


def _policy(timeout):
    return PollPolicy(interval=INTERVAL, max_interval=LONGEST, outage_timeout=timeout)


def follower(*, follow=True, offset=0, support=None, timeout=TIMEOUT, **options):
    options = FollowOptions(_policy(timeout), **options)
    capabilities = ServerCapabilities(trace=support)
    return LogFollower(options, capabilities, "/trace", offset=offset, follow=follow, now=0.0)


def poll_trace(followed, server, run, wanted, fault):
    sent = serve(server.log(run.now), wanted, next(server.kinds))
    if isinstance(fault, GitLabError):
        raise fault
    try:
        if sent.status == 416:
            raise ResponseError(416, "no range", *WHERE)
        followed.begin_response(sent)
        run.is_full = len(sent.body) == wanted.limit
        body = sent.body if fault is None else sent.body[:fault]
        for start in range(0, len(body), 100):
            run.add(followed.receive_data(body[start : start + 100]))
        if fault is not None:
            raise LOST
        run.add(followed.end_response())
    except GitLabError as error:
        run.add(followed.abort_response(error))


def step(followed, server, run, *, latency=0.1, jitter=0.5):
    """Take one action of *followed*; return it."""
    action = followed.next_action(FREE)
    if isinstance(action, Done | CaughtUp):
        return action
    run.now = max(run.now, action.at)
    if not run.is_full:
        run.polls.append((type(action), run.now))
    fault = next(server.faults, None)
    try:
        if isinstance(action, PollTrace):
            poll_trace(followed, server, run, action.range, fault)
            began, run.now = run.now, run.now + latency
            followed.on_trace(began, run.now)
        elif fault is None:
            status = server.status(run.now)
            began, run.now = run.now, run.now + latency
            followed.on_status(status, began, run.now)
        else:
            raise fault if isinstance(fault, GitLabError) else LOST
    except GitLabError as error:
        run.failing_since = run.failing_since or run.now
        followed.on_error(error, run.now, jitter)
    return action


def drive(followed, server, run=None, **options):
    """Take the actions of *followed* until it is done; return the run."""
    run = run or Run()
    while not isinstance(step(followed, server, run, **options), Done):
        run.steps += 1
        assert run.steps < 20_000
    return run


UPLOADS = st.lists(
    st.tuples(
        st.floats(0.5, 90.0),
        st.one_of(st.binary(min_size=1, max_size=300), st.sampled_from([b"a\n" * 80, b"x" * 400])),
    ),
    min_size=1,
    max_size=12,
)
MANY_KINDS = st.lists(st.sampled_from(KINDS), min_size=1, max_size=4)
FAULTS = st.lists(
    st.one_of(st.none(), st.integers(0, 500), st.sampled_from(TRANSIENT)), max_size=40
)


def server_of(uploads, lasts, kinds, faults=()):
    times = itertools.accumulate(gap for gap, _ in uploads)
    timed = [(at, data) for at, (_, data) in zip(times, uploads, strict=True)]
    return Server(timed, timed[-1][0] + lasts, kinds, faults)


@given(UPLOADS, st.floats(0.0, 100.0), MANY_KINDS, FAULTS, st.floats(0.0, 1.0))
def test_every_byte_is_emitted_once(uploads, lasts, kinds, faults, jitter):
    server = server_of(uploads, lasts, kinds, faults)
    run = drive(follower(timeout=1e6), server, jitter=jitter)
    assert run.received == server.log(1e9)


@given(UPLOADS, st.floats(0.0, 100.0), MANY_KINDS, FAULTS)
def test_trace_is_read_after_a_final_status(uploads, lasts, kinds, faults):
    server = server_of(uploads, lasts, kinds, faults)
    followed = follower(timeout=1e6)
    run = drive(followed, server)
    statuses = [at for kind, at in run.polls if kind is PollStatus]
    kind, last = run.polls[-1]
    assert kind is PollTrace
    assert server.ends_at <= statuses[-1] <= last
    assert isinstance(followed.next_action(FREE), Done)


@given(UPLOADS, st.floats(0.0, 100.0), st.sampled_from(KINDS), st.floats(0.0, 2.0))
def test_polls_keep_the_shortest_interval(uploads, lasts, kind, latency):
    """Only a range that was full, the first and the last status cause a poll at once."""
    server = server_of(uploads, lasts, [kind])
    run = drive(follower(), server, latency=latency)
    polls = [(poll, at) for poll, at in run.polls if at < server.ends_at]
    traces = [at for poll, at in polls if poll is PollTrace]
    later = traces[1:]  # a job that has just started has its trace polled twice
    assert all(at - before >= 2 * SOONEST - 1e-6 for before, at in itertools.pairwise(later))
    gaps = [at - began for (_, began), (_, at) in itertools.pairwise(polls[1:])]
    assert sum(gap < SOONEST - 1e-6 for gap in gaps) <= 2 * (1 + run.now // 60)


@given(UPLOADS, MANY_KINDS, st.floats(0.0, 1.0), st.sampled_from(TRANSIENT))
def test_outage_ends_after_its_timeout(uploads, kinds, jitter, error):
    server = server_of(uploads, 10.0, kinds, [None, None, *[error] * 500])
    run = Run()
    with pytest.raises(TraceInterruptedError) as interrupted:
        drive(follower(), server, run, jitter=jitter)
    assert run.now - run.failing_since == pytest.approx(TIMEOUT)
    assert interrupted.value.offset == len(run.received)
    assert interrupted.value.__cause__ is error


@pytest.mark.parametrize("error", [*REFUSALS, *TRANSIENT], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("timeout", [0.0, TIMEOUT])
def test_first_error(error, timeout):
    """A refusal is raised at once; so is any error if none is tolerated."""
    followed = follower(timeout=timeout)
    if timeout and error in TRANSIENT:
        assert followed.on_error(error, 0.0, 0.5)
        first = 0.0 if error is LOST else 1.0
        assert first <= followed.next_action(FREE).at <= 2 * first + 0.25
        assert not followed.on_error(error, 1.5, 0.5)
        return
    with pytest.raises(type(error)):
        followed.on_error(error, 0.0, 0.5)


def test_rate_limit_may_outlast_the_timeout():
    followed, now = follower(timeout=10.0, outlasts_rate_limits=True), 0.0
    for number in range(100):
        assert followed.on_error(RateLimitedError(429, "slow", *WHERE), now, 0.5) == (number == 0)
        assert followed.next_action(FREE).at >= now + 15.0
        now = followed.next_action(FREE).at


def test_denials_after_a_success_are_retried():
    followed = follower(max_denials=2)
    denied = AuthenticationError(401, "no", *WHERE)
    followed.on_status(JobStatus.PENDING, 0.0, 0.0)
    followed.on_error(denied, 1.0, 0.5)
    followed.on_error(denied, 2.0, 0.5)
    with pytest.raises(AuthenticationError):
        followed.on_error(denied, 3.0, 0.5)


@pytest.mark.parametrize("log", [b"", b"some\nlines\n", b"x" * 1000])
@pytest.mark.parametrize("kind", KINDS)
def test_log_is_read_once_without_follow(log, kind):
    server = Server([(0.0, log)], 1e9, [kind])
    run = drive(follower(follow=False, timeout=TIMEOUT), server)
    assert run.received == log
    assert {poll for poll, _ in run.polls} == {PollTrace}
    assert run.now < 1.0
    with pytest.raises(ServerError):
        follower(follow=False).on_error(ServerError(502, "bad", *WHERE), 0.0, 0.5)


@pytest.mark.parametrize("offset", [0, 1, 200, 1000])
def test_log_is_followed_from_an_offset(offset):
    log = b"".join(b"%d\n" % number for number in range(1000))
    server = Server([(0.0, log)], 0.0, ["ranged"])
    run = drive(follower(offset=offset), server, Run(bytearray(log[:offset])))
    assert run.received == log


def test_caught_up_follows_traces_but_the_last():
    """Status, trace, caught up: the order lets lines that may still grow be held back."""
    followed, run, actions = follower(), Run(), ""
    server = Server([(0.0, b"one\n"), (10.0, b"two\n")], 11.0, ["ranged"])
    letters = {PollStatus: "S", PollTrace: "T", CaughtUp: "C", Done: "D"}
    while not actions.endswith("D"):
        actions += letters[type(step(followed, server, run))]
    assert re.fullmatch(r"(S*TC){2,}S+T+D", actions)


@pytest.mark.parametrize(
    ("kind", "support"), [("ranged", TraceSupport.RANGE), ("whole", TraceSupport.WHOLE)]
)
def test_support_is_shared_by_all_logs(kind, support):
    capabilities = ServerCapabilities()
    options = FollowOptions(_policy(TIMEOUT))
    lines = [(5.0 * n, b"%d line of the log\n" % n * 20) for n in range(1, 9)]
    first = LogFollower(options, capabilities, "/trace", offset=0, follow=True, now=0.0)
    drive(first, Server(lines, 60.0, [kind]))
    assert capabilities.trace is support


def test_quiet_whole_logs_are_polled_rarely():
    """The server sends the whole log even if it has not changed."""
    server = Server([(30.0, b"x\n" * 50)], 600.0, ["whole"])
    run = drive(follower(support=TraceSupport.WHOLE), server)
    times = [at for kind, at in run.polls if kind is PollTrace]
    assert len(times) <= 12 + 600 / LONGEST


@define
class TornServer(Server):
    """Two servers behind one address that have another trace each."""

    polls: int = 0

    def log(self, _now):
        self.polls += 1
        return (b"this log\n", b"that log\n")[self.polls // 3 % 2] * (100 + self.polls)


def test_trace_replaced_at_every_poll_is_an_error():
    run = Run()
    with pytest.raises(TraceInterruptedError, match="/trace: trace replaced at every poll"):
        drive(follower(), TornServer([], 1e9, ["whole"]), run)
    assert len(run.polls) < 100


def test_data_of_a_lost_response_is_kept():
    """More than was requested shows at once that it is the whole log."""
    followed, run = follower(follow=False), Run()
    server = Server([(0.0, b"x" * 600_000)], 0.0, ["whole"])
    poll_trace(followed, server, run, followed.next_action(FREE).range, 550_000)
    followed.on_trace(5.0, 5.0)
    assert len(run.received) == 550_000
    action = followed.next_action(FREE)
    assert isinstance(action, PollTrace)
    assert action.at == 5.0
    with pytest.raises(ConnectionFailedError):
        poll_trace(followed, server, run, action.range, 0)


def ended_after_two_polls(kind="whole"):
    """Return a follower that has read all of a log whose job then ended, and that log."""
    followed, run = follower(), Run()
    log = b"".join(b"line %d\n" % number for number in range(200))
    server = Server([(0.0, log[:-50]), (5.0, log)], 1e9, [kind])
    server.uploads = [(0.0, log[:-50]), (2.0, log[-50:])]
    while run.received != log:
        step(followed, server, run)
    while not isinstance(followed.next_action(FREE), PollStatus | PollTrace):
        pass
    followed.on_status(JobStatus.SUCCESS, run.now, run.now)
    return followed, log


def test_archived_log_is_requested_by_header():
    """Servers that ignore `byte_offset` honour a `Range` header, though proxies may refuse it."""
    followed, log = ended_after_two_polls()
    assert followed.next_action(FREE).range == TraceRange(len(log) - 128, 512_000, None, True)
    followed.on_error(ServerError(502, "bad", *WHERE), 0.0, 0.5)
    assert not followed.next_action(FREE).range.is_archived


def test_ranges_need_no_range_header():
    followed, _ = ended_after_two_polls("ranged")
    assert not followed.next_action(FREE).range.is_archived


def test_unsatisfiable_range_is_a_mismatch():
    """A log that became shorter than the requested range is answered with 416."""
    followed, _ = ended_after_two_polls()
    followed.next_action(FREE)
    unsatisfiable = ResponseError(416, "no range", *WHERE)
    assert followed.abort_response(unsatisfiable) is None
    followed.on_trace(1000.0, 1000.0)
    assert followed.next_action(FREE).at == 1000.0 + INTERVAL
    followed.next_action(FREE)
    assert followed.abort_response(unsatisfiable) == TraceChunk(0, b"")


def test_unwanted_416_is_raised():
    followed = follower(follow=False)
    followed.next_action(FREE)
    with pytest.raises(ResponseError):
        followed.abort_response(ResponseError(416, "no range", *WHERE))


def test_success_of_a_trace_ends_an_outage():
    followed, run = follower(), Run()
    server = Server([(0.0, b"log\n")], 1e9, ["ranged"], [LOST, None, LOST])
    step(followed, server, run)
    step(followed, server, run)
    step(followed, server, run)
    assert isinstance(followed.next_action(FREE), PollTrace)
    step(followed, server, run)
    assert followed.on_error(LOST, run.now, 0.5)


def test_data_of_a_lost_response_is_growth():
    """So the last line of a runner in it makes the status due."""
    followed, run = follower(), Run()
    log = b"x" * 600_000 + b"Job succeeded"
    server = Server([(0.0, log)], 1e9, ["whole", *["ranged"] * 50], [None, len(log)])
    while not isinstance(step(followed, server, run), CaughtUp):
        pass
    assert run.received == log
    assert followed.next_action(FREE) == PollStatus(run.now, is_single=True)


def test_report_of_the_end_makes_the_trace_due():
    followed, run = follower(), Run()
    server = Server([(0.0, b"log\n")], 1e9, ["ranged"])
    while not isinstance(step(followed, server, run), CaughtUp):
        pass
    followed.on_report(JobStatus.RUNNING, 2.0, 2.5)
    assert followed.status_known_at == 2.0
    assert isinstance(followed.next_action(FREE), PollTrace)
    followed.on_report(JobStatus.FAILED, 3.0, 3.5)
    action = followed.next_action(FREE)
    assert isinstance(action, PollTrace)
    assert action.at == 3.5
    followed.on_report(JobStatus.RUNNING, 4.0, 4.5)
    assert isinstance(drive(followed, server, run), Run)


def test_report_replaces_the_first_poll():
    followed = follower()
    followed.on_report(JobStatus.RUNNING, 10.0, 10.0)
    assert isinstance(followed.next_action(FREE), PollTrace)
