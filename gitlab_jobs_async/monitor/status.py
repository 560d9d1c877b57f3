"""State of a monitor at one moment: how old its view of the targets is, and what delays it."""

from collections.abc import Iterable

from attrs import frozen

from gitlab_jobs_async.monitor.watch.base import Watch


@frozen(kw_only=True)
class MonitorStatus:
    """State of a `Monitor`, from `events.status()`.

    Attributes:
        targets: projects, pipelines and jobs that are polled, those discovered downstream included.
        unscanned: targets whose first scan is not complete.
        unreachable: targets whose last poll has failed.
        pending: detected events that the consumer has not taken.
        oldest_scan: seconds since the last successful scan of the target that was not scanned for
            the longest time; None if none was scanned yet. An answer by GraphQL without a change
            counts as a scan.
        lag: seconds by which the most overdue of the waiting polls is late, since the budget is
            small or the consumer slow; 0 while all are on time.
        paused: kinds of requests that the server has paused, as in `MonitorPaused`; "" is all.
    """

    targets: int
    unscanned: int
    unreachable: int
    pending: int
    oldest_scan: float | None
    lag: float
    paused: tuple[str, ...]


def status_of(
    watches: Iterable[Watch], now: float, *, pending: int, lag: float, paused: Iterable[str]
) -> MonitorStatus:
    """Return the status at *now* of a monitor with these watches."""
    targets = unscanned = unreachable = 0
    oldest: float | None = None
    for watch in watches:
        targets += 1
        unscanned += not watch.is_known
        unreachable += watch.availability.is_unreachable
        if scanned_at := watch.timer.scanned_at:
            oldest = scanned_at if oldest is None else min(oldest, scanned_at)
    return MonitorStatus(
        targets=targets,
        unscanned=unscanned,
        unreachable=unreachable,
        pending=pending,
        oldest_scan=None if oldest is None else max(0.0, now - oldest),
        lag=lag,
        paused=tuple(sorted(paused)),
    )


def combined(statuses: Iterable[MonitorStatus]) -> MonitorStatus:
    """Return the status of several monitors as one."""
    every = list(statuses)
    scans = [status.oldest_scan for status in every if status.oldest_scan is not None]
    return MonitorStatus(
        targets=sum(status.targets for status in every),
        unscanned=sum(status.unscanned for status in every),
        unreachable=sum(status.unreachable for status in every),
        pending=sum(status.pending for status in every),
        oldest_scan=max(scans, default=None),
        lag=max((status.lag for status in every), default=0.0),
        paused=tuple(sorted({kind for status in every for kind in status.paused})),
    )
