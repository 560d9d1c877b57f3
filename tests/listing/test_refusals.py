"""Errors of a listing that went on by keyset after the server refused an offset."""

import pytest

from gitlab_jobs_async import MethodNotAllowedError, ServerError
from gitlab_jobs_async.listing.keyset import KeysetStrategy
from tests.support.listing_model import HERE, JOBS

REFUSAL = MethodNotAllowedError(405, "Offset pagination has a maximum", "GET", "/jobs?page=501")


@pytest.mark.parametrize(
    "error",
    [
        MethodNotAllowedError(405, "Keyset pagination is not yet available", "GET", "/jobs"),
        ServerError(500, "500 Internal Server Error", "GET", "/jobs"),
    ],
)
def test_refused_offset_is_the_final_error(error):
    strategy = KeysetStrategy(HERE, JOBS, 4, refusal=REFUSAL)
    (request,) = strategy.next_requests(4, 0)
    with pytest.raises(MethodNotAllowedError) as refused:
        strategy.on_error(request, error)
    assert refused.value is REFUSAL


def test_keyset_error_is_raised_unchanged():
    strategy = KeysetStrategy(HERE, JOBS, 4)
    (request,) = strategy.next_requests(4, 0)
    error = ServerError(500, "500 Internal Server Error", "GET", "/jobs")
    with pytest.raises(ServerError) as refused:
        strategy.on_error(request, error)
    assert refused.value is error
