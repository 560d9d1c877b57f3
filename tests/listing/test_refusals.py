"""Where a listing by offset goes on by keyset, the refusal that led there is the error."""

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
def test_the_first_refusal_is_the_error(error):
    walk = KeysetStrategy(HERE, JOBS, 4, refusal=REFUSAL)
    (ask,) = walk.asks(4, 0)
    with pytest.raises(MethodNotAllowedError) as refused:
        walk.refused(ask, error)
    assert refused.value is REFUSAL


def test_without_a_refusal_the_error_is_raised():
    walk = KeysetStrategy(HERE, JOBS, 4)
    (ask,) = walk.asks(4, 0)
    error = ServerError(500, "500 Internal Server Error", "GET", "/jobs")
    with pytest.raises(ServerError) as refused:
        walk.refused(ask, error)
    assert refused.value is error
