"""Pages that were requested before a strategy switched to another kind of pagination."""

import pytest

from gitlab_jobs_async import MethodNotAllowedError, NotFoundError
from gitlab_jobs_async.listing.keyset import KeysetStrategy
from gitlab_jobs_async.listing.offset import OffsetStrategy
from tests.support.listing_model import HERE, JOBS, PIPELINES, Listing, check_exact, read, respond

REFUSED = MethodNotAllowedError(405, "Offset pagination has a maximum", "GET", "u")


def after_first_page(strategy, listing):
    """Return the ids of the first page and 9 requests for the pages that the server counted."""
    emitted = respond(strategy, listing, strategy.next_requests(1, 0)[0])
    requests = strategy.next_requests(9, 9)
    assert len(requests) == 9
    return emitted, requests


def deliver(strategy, listing, request, late):
    """Deliver a page that was requested before the switch, or its error."""
    if late == "page":
        assert list(strategy.on_page(request, *listing.answer(request.request))) == []
    else:
        strategy.on_error(request, NotFoundError(404, "404 Not found", "GET", "u"))


@pytest.mark.parametrize("late", ["page", "error"])
def test_rescan_ignores_earlier_requests(late):
    listing = Listing(range(1, 1001), keyset=None)
    strategy = OffsetStrategy(HERE, PIPELINES)
    emitted, (second, *pending) = after_first_page(strategy, listing)
    response, rows = listing.answer(second.request)
    assert strategy.on_page(second, response, rows[::-1]) == ()
    for request in pending:
        deliver(strategy, listing, request, late)
    before = listing.requests
    emitted += read(strategy, listing)
    check_exact(emitted, listing)
    assert listing.requests == before + 2 * 10


@pytest.mark.parametrize("late", ["page", "error"])
def test_keyset_ignores_earlier_offset_pages(late):
    listing = Listing(range(1, 1001), keyset=None)
    strategy = KeysetStrategy(HERE, JOBS, 16)
    emitted, (*pending, last) = after_first_page(strategy, listing)
    strategy.on_error(last, REFUSED)
    for request in pending:
        deliver(strategy, listing, request, late)
    listing.keyset = "json"
    emitted += read(strategy, listing)
    check_exact(emitted, listing)


def switched_to_offset(strategy, listing):
    """Read until lost headers and a refused "up" leave offsets alone; return ids and requests."""
    emitted = respond(strategy, listing, strategy.next_requests(1, 0)[0])
    for request in strategy.next_requests(16, 16):
        emitted += respond(strategy, listing, request)
    link, trial, pending = strategy.next_requests(16, 16)
    listing.links, listing.up = lambda: False, "refused"
    emitted += respond(strategy, listing, trial)
    emitted += respond(strategy, listing, link)
    (request,) = strategy.next_requests(1, 0)
    assert "pagination" not in dict(request.request.params)
    return emitted, request, pending


@pytest.mark.parametrize("late", ["page", "error"])
def test_offset_ignores_earlier_keyset_pages(late):
    """A gateway drops every header after the first pages, and the server refuses "up"."""
    listing = Listing(range(1, 1001), offset_headers=False)
    strategy = KeysetStrategy(HERE, JOBS, 16)
    emitted, request, pending = switched_to_offset(strategy, listing)
    listing.up = "up"
    deliver(strategy, listing, pending, late)
    emitted += respond(strategy, listing, request)
    emitted += read(strategy, listing)
    check_exact(emitted, listing)


def test_first_refused_offset_is_raised():
    strategy = KeysetStrategy(HERE, JOBS, 16)
    _, request, _ = switched_to_offset(strategy, Listing(range(1, 1001), offset_headers=False))
    with pytest.raises(MethodNotAllowedError):
        strategy.on_error(request, REFUSED)
