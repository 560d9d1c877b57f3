"""What is read of an answer of aiohttp's: its body, or the beginning of an error's."""

import asyncio
import logging

import aiohttp

from gitlab_jobs_async.http.body import Body
from gitlab_jobs_async.http.decompression import TruncatedBodyError, UnknownEncodingError

_log = logging.getLogger("gitlab_jobs_async")

_LONGEST_ERROR = 64 * 1024
"""Bytes of an error's body that are read: enough for its words."""


def body_of(answer: aiohttp.ClientResponse) -> Body:
    """The body of *answer*, not read yet.

    Raises:
        UnknownEncodingError: it is encoded in a way that was not asked for.
    """
    encodings = answer.headers.getall("Content-Encoding", ())
    return Body(answer.content.readany, ",".join(encodings))


async def beginning_of(answer: aiohttp.ClientResponse, seconds: float) -> bytes:
    """What an error says; if the rest is lost or does not come, the status still counts."""
    read = b""
    try:
        async with asyncio.timeout(seconds):
            async for piece in body_of(answer).pieces(_LONGEST_ERROR):
                read += piece
    except (aiohttp.ClientError, TimeoutError, TruncatedBodyError, UnknownEncodingError):
        _log.debug("the body of an error cannot be read whole")
    return read
