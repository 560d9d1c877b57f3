"""Poll policy: what it accepts, and how far it stretches."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import GitLab, PollPolicy
from gitlab_jobs_async.polling.policy import poll_policy


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"interval": 0}, "interval must be a number of seconds above 0, not 0"),
        ({"interval": "5"}, "interval must be a number of seconds above 0, not '5'"),
        ({"interval": True}, "not True"),
        ({"interval": inf}, "interval must be"),
        ({"max_interval": 4}, "max_interval must be at least interval, 5 s, not 4"),
        ({"interval": 61}, "max_interval must be at least interval, 61 s, not 60"),
        ({"max_interval": inf}, "max_interval must be"),
        ({"outage_timeout": -1}, "outage_timeout must be a number of seconds from 0, not -1"),
        ({"outage_timeout": "long"}, "outage_timeout must be a number of seconds from 0"),
    ],
)
def test_invalid_policy_is_refused(wrong, said):
    with pytest.raises((TypeError, ValueError), match=said):
        PollPolicy(**wrong)


@pytest.mark.parametrize(("factor", "seconds"), [(1, 5), (2, 10), (12, 60), (13, 60), (inf, 60)])
def test_interval_stretches_to_maximum(factor, seconds):
    assert PollPolicy().stretched(factor) == seconds


@given(st.floats(0.001, 1e6), st.floats(0, 1e6), st.floats(1, 1e12))
def test_stretched_interval_stays_in_bounds(interval, more, factor):
    policy = PollPolicy(interval=interval, max_interval=interval + more)
    assert interval <= policy.stretched(factor) <= interval + more


def test_policy_of_call_replaces_default():
    default, given_policy = PollPolicy(), PollPolicy(interval=1)
    assert poll_policy(None, default) is default
    assert poll_policy(given_policy, default) is given_policy


def test_client_refuses_other_policies():
    with pytest.raises(TypeError, match="polling must be a PollPolicy, not 5"):
        GitLab("http://127.0.0.1", polling=5)
