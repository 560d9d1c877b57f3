"""Read bodies of aiohttp's responses."""

import asyncio
import logging

import aiohttp

from gitlab_jobs_async.http.body import Body
from gitlab_jobs_async.http.decompression import TruncatedBodyError, UnknownEncodingError

_log = logging.getLogger("gitlab_jobs_async")

# Bytes of an error's body that are read: enough for its message.
_LONGEST_ERROR = 64 * 1024


def body_of(raw: aiohttp.ClientResponse) -> Body:
    """Return the unread body of *raw*.

    Raises:
        UnknownEncodingError: its encoding was not requested.
    """
    encodings = raw.headers.getall("Content-Encoding", ())
    return Body(raw.content.readany, ",".join(encodings))


async def read_error_body(raw: aiohttp.ClientResponse, seconds: float) -> bytes:
    """Return the beginning of an error's body: what arrives within *seconds*."""
    # The status counts even if the body is lost.
    read = b""
    try:
        async with asyncio.timeout(seconds):
            async for piece in body_of(raw).pieces(_LONGEST_ERROR):
                read += piece
    except (aiohttp.ClientError, TimeoutError, TruncatedBodyError, UnknownEncodingError):
        _log.debug("body of an error is incomplete")
    return read
