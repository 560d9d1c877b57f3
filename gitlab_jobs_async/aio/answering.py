"""An inquiry of a watch, put to the server as a poll in the background: its rows, or the error."""

from gitlab_jobs_async.aio.listing import by_offset, read_all
from gitlab_jobs_async.aio.oddities import warn_of_oddity
from gitlab_jobs_async.aio.transport import Transport
from gitlab_jobs_async.errors import DecodeError
from gitlab_jobs_async.sansio.decoding import decode, decode_rows
from gitlab_jobs_async.sansio.inquiries import Answer, Inquiry, impossible
from gitlab_jobs_async.sansio.links import next_page
from gitlab_jobs_async.sansio.turns import Lane


async def answered(transport: Transport, inquiry: Inquiry) -> Answer:
    """What the server says to *inquiry*.

    Raises:
        GitLabError: it says that it will not, or nothing that can be read, or that can be so.
    """
    answer = await _answered(transport, inquiry)
    reason = impossible(answer.rows)
    if reason is not None:
        server, wanted = transport.settings.server, inquiry.wanted
        raise DecodeError(f"{reason} @ $", wanted.method, server.shown(wanted))
    return answer


async def _answered(transport: Transport, inquiry: Inquiry) -> Answer:
    kind, wanted = inquiry.about.kind, inquiry.wanted
    if inquiry.is_whole:
        rows = await read_all(transport, by_offset(transport, wanted), kind, Lane.BACKGROUND)
        return Answer(rows)
    response = await transport.send(wanted, Lane.BACKGROUND)
    if inquiry.about.is_single:
        return Answer([decode(response, kind, warn_of_oddity)])
    return Answer(
        decode_rows(response, kind, report=warn_of_oddity),
        next_page(transport.settings.server, wanted, response),
    )
