"""Effects of faults on a response: scripted answers, cut bodies and reset connections."""

import socket
import struct
from collections.abc import Iterator
from email.utils import formatdate
from typing import Final

from aiohttp import web

from gitlab_jobs_async.simulator.api.answers import Answer, Plain
from gitlab_jobs_async.simulator.faults import Fault

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


def reset_connection(incoming: web.BaseRequest) -> None:
    """Reset the connection of a request, as a crashed server does."""
    transport = incoming.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        # Zero linger makes the kernel send a reset in place of an orderly close.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()


def scripted_answer(fault: Fault, status: int, now: float) -> Answer:
    """Return the answer of a fault with a status, at *now*."""
    headers = [("Content-Type", fault.content_type), *fault.headers.items()]
    if fault.retry_date is not None:
        headers.append(("Retry-After", formatdate(now + fault.retry_date, usegmt=True)))
    return Answer(status, tuple(headers), Plain(fault.body))


def cut_size(fault: Fault, size: int) -> int:
    """Return how many bytes of a body of *size* a fault lets through."""
    if fault.reset not in {"within", "truncated"}:
        return size
    return min(size, size // 2 if fault.cut_at is None else fault.cut_at)


def split_pieces(
    pieces: Iterator[bytes], limit: int, drip: int | None
) -> Iterator[tuple[int, bytes]]:
    """Yield the pieces of a body up to *limit*, of *drip* bytes at most, each with its offset."""
    sent = 0
    for piece in pieces:
        step = drip or len(piece)
        for at in range(0, len(piece), step):
            part = piece[at : at + step][: limit - sent]
            if not part:
                return
            yield sent, part
            sent += len(part)


async def end_response(
    incoming: web.BaseRequest, response: web.StreamResponse, reset: str | None
) -> None:
    """End a response: in order, by a reset, or by closing it early."""
    if reset in {"within", "after"}:
        reset_connection(incoming)
    elif reset == "truncated" and incoming.transport is not None:
        incoming.transport.close()
    else:
        await response.write_eof()
