"""Monitors of one client share its pace in proportion to what their targets ask for."""

from gitlab_jobs_async.monitor.schedule.shared_rate import SharedRate


def test_pace_is_shared_by_demand():
    pace = SharedRate()
    pace.claim("a", 10, 3.0)
    assert pace.stretch("a") == 1
    pace.claim("b", 30, 1.0)
    assert pace.targets == 40
    assert pace.stretch("a") == 4 / 3
    assert pace.stretch("b") == 4
    assert 1 / pace.stretch("a") + 1 / pace.stretch("b") == 1


def test_unused_share_is_left_to_others():
    pace = SharedRate()
    pace.claim("a", 10, 3.0)
    pace.claim("b", 30, 0.0)
    assert pace.stretch("a") == 1
    assert pace.stretch("b") == 1
    pace.leave("a")
    assert pace.targets == 30
