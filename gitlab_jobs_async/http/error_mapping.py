"""What fails on a connection, as errors of ours; no object of aiohttp's leaves here.

They may hold the request, with its credential, or a proxy's password. So may the locals of the
frames that an exception has passed, which error reporters collect.
"""

import contextlib
import traceback
from types import FrameType

import aiohttp
from aiohttp.http_exceptions import LineTooLong

from gitlab_jobs_async.errors import (
    CertificateError,
    ConnectionFailedError,
    DecodeError,
    GitLabError,
    TimedOutError,
)
from gitlab_jobs_async.http.decompression import TruncatedBodyError, UnknownEncodingError

FAILURES = (aiohttp.ClientError, OSError, ValueError, TruncatedBodyError, UnknownEncodingError)
"""What an exchange may raise besides our own errors; a TimeoutError is an OSError."""

MOST_HEADERS = 512
"""Header lines of an answer; aiohttp takes 128, and gateways send more."""

_UNMADE = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
)


class LostError(aiohttp.ClientError):
    """What aiohttp says of a lost connection, in a shape that it does not answer by itself."""

    def __init__(self, said: aiohttp.ClientError) -> None:
        super().__init__(str(said))
        self.said = said


def reason_of(error: Exception) -> str:
    """What went wrong in words that name no request."""
    match error.said if isinstance(error, LostError) else error:
        case aiohttp.ClientConnectorError() as said:
            return f"no connection to {said.host}:{said.port}: {_unconnected(said)}"
        case aiohttp.ServerDisconnectedError():
            return "the server closed the connection before it had answered"
        case aiohttp.ClientHttpProxyError() as said:
            return f"the proxy refused: HTTP {said.status}"
        case aiohttp.ClientResponseError() as said:
            return f"the answer is no HTTP: {said.message}"
        case aiohttp.InvalidURL():
            return "an address that cannot be used"
        case said:
            return str(said) or type(said).__name__


_UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21})
_WRONG_TIME = {9: "is not valid yet, or this machine's clock is wrong", 10: "has expired"}
_WRONG_HOST = frozenset({62, 64})
"""OpenSSL's numbers: https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/."""


def _unconnected(error: aiohttp.ClientConnectorError) -> object:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _certificate(error)
    return error.strerror or error.os_error


def _certificate(error: aiohttp.ClientConnectorCertificateError) -> str:
    """Say what is wrong with the server's certificate, and what to do."""
    said = error.certificate_error
    code, words = getattr(said, "verify_code", 0), getattr(said, "verify_message", str(said))
    if code in _UNKNOWN_AUTHORITY:
        return (
            f"the server's certificate is of an unknown authority ({words}): name that by "
            "SSL_CERT_FILE, TLSConfig(ca_file=...) or --ca-file"
        )
    if code in _WRONG_TIME:
        return f"the server's certificate {_WRONG_TIME[code]} ({words})"
    if code in _WRONG_HOST:
        return f"the server's certificate is for another host ({words})"
    return f"the server's certificate is not trusted ({words})"


def is_header_too_long(error: Exception) -> bool:
    """Return whether a line of the answer's head is longer than aiohttp was allowed to take."""
    # aiohttp tells the parser's error as another one, and that as a third.
    link: BaseException | None = error
    for _ in range(5):
        if link is None or isinstance(link, LineTooLong):
            break
        link = link.__cause__
    return isinstance(link, LineTooLong)


def failure_of(
    error: Exception, reason: str, method: str, shown: str, timeout: float, *, is_unsent: bool
) -> GitLabError:
    """Our error for one of `FAILURES`; only what the system said is chained."""
    was_sent = not (is_unsent or isinstance(error, _UNMADE))
    if isinstance(error, UnknownEncodingError):
        return DecodeError(reason, method, shown)
    if isinstance(error, aiohttp.ClientResponseError) and "Too many headers" in error.message:
        reason = f"invalid HTTP response: more than {MOST_HEADERS} header lines"
        return DecodeError(reason, method, shown)
    failure: ConnectionFailedError
    if isinstance(error, TimeoutError):
        reason = f"no whole answer within {timeout:g} s"
        failure = TimedOutError(reason, method, shown, was_sent)
    elif isinstance(error, aiohttp.ClientConnectorCertificateError):
        failure = CertificateError(reason, method, shown, was_sent)
    else:
        failure = ConnectionFailedError(reason, method, shown, was_sent)
    said: object = error
    if isinstance(error, aiohttp.ClientError):
        said = getattr(error, "certificate_error", None) or getattr(error, "os_error", None)
    if isinstance(said, OSError):
        failure.__cause__ = _alone(said)
    return failure


def _alone(error: OSError) -> OSError:
    """Strip *error* of its traceback and of what led to it: those frames hold the request."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


_ROOMS = frozenset(
    {"aiohappyeyeballs", "aiohttp", "asyncio", "gitlab_jobs_async", "urllib", "yarl"}
)
"""Packages whose frames are cleared; those of the caller keep their locals."""


def clear_locals(error: BaseException) -> None:
    """Empty the frames that *error* has passed here and in aiohttp; their lines stay readable.

    Errors of aiohttp's are taken out of its causes and contexts.
    """
    links, seen = [error], {id(error)}
    while links:
        link = links.pop()
        for frame, _ in traceback.walk_tb(link.__traceback__):
            if _is_ours(frame):
                with contextlib.suppress(RuntimeError):  # it is still running
                    frame.clear()
        if isinstance(link.__cause__, aiohttp.ClientError):
            link.__cause__ = None
        if isinstance(link.__context__, aiohttp.ClientError):
            link.__context__ = None
        members = link.exceptions if isinstance(link, BaseExceptionGroup) else ()
        for other in (link.__cause__, link.__context__, *members):
            if other is not None and id(other) not in seen:
                seen.add(id(other))
                links.append(other)


def _is_ours(frame: FrameType) -> bool:
    module = frame.f_globals.get("__name__", "")
    # What attrs makes of a class belongs to no module.
    return module.partition(".")[0] in _ROOMS or frame.f_code.co_filename.startswith("<attrs")
