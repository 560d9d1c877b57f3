"""Unit tests of limits on size and rate."""

import pytest

from gitlab_jobs_async import Limits, ResponseTooLargeError
from gitlab_jobs_async.http.body_limits import MinRate, SizeLimit


def test_gauge_counts_up_to_its_limit():
    gauge = SizeLimit("page", 10, "GET", "u")
    gauge.add(10)
    with pytest.raises(ResponseTooLargeError, match="at most 10 bytes") as large:
        gauge.add(1)
    assert (large.value.limit, large.value.most, large.value.url) == ("page", 10, "u")
    SizeLimit("trace", None, "GET", "u").add(10**12)


def test_rate_is_judged_over_whole_spans():
    rate = MinRate(10.0, 30.0)
    # Slow for 29 s; one large piece makes up for it.
    assert rate.add(1, 29.0)
    assert rate.add(309, 2.0)
    assert rate.add(1, 29.9)
    assert not rate.add(1, 0.2)
    assert rate.add(300, 30.0)
    assert not rate.add(299, 30.0)
    assert MinRate(0.0, 30.0).add(1, 1e6)


def test_file_is_bounded_by_archive_or_trace():
    assert Limits(trace=5).whole("archive") == ("trace", 5)
    assert Limits(trace=5, archive=7).whole("archive") == ("archive", 7)
    assert Limits(trace=None).whole("archive") == ("trace", None)
    assert Limits(page=3).whole("page") == ("page", 3)


def test_defaults_are_documented_sizes():
    limits = Limits()
    assert (limits.page, limits.trace, limits.archive) == (4 * 2**20, 256 * 2**20, None)
    assert (limits.header, limits.all_headers) == (64 * 1024, 2**20)
