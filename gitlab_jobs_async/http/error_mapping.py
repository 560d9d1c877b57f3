"""Map errors of aiohttp to ours, without credentials."""

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

EXCHANGE_ERRORS = (
    aiohttp.ClientError,
    OSError,
    ValueError,
    TruncatedBodyError,
    UnknownEncodingError,
)
"""Errors that an exchange may raise besides ours; a TimeoutError is an OSError."""

MOST_HEADERS = 512
"""Header lines of a response; aiohttp accepts 128, and gateways send more."""

# Nothing was sent yet, so even an action may be repeated.
_UNMADE = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
)


class LostError(aiohttp.ClientError):
    """A lost connection, in a class for which aiohttp does not resend the request."""

    def __init__(self, original: aiohttp.ClientError) -> None:
        super().__init__(str(original))
        self.original = original


_WORDS = {
    aiohttp.ServerDisconnectedError: "server closed the connection before responding",
    aiohttp.ClientPayloadError: "response ended before it was complete",
    aiohttp.InvalidURL: "invalid URL",
}


def describe_error(error: Exception) -> str:
    """Return the reason of *error*, without the request."""
    cause = error.original if isinstance(error, LostError) else error
    for kind, words in _WORDS.items():
        if isinstance(cause, kind):
            return words
    match cause:
        case aiohttp.ClientConnectorError():
            return f"no connection to {cause.host}:{cause.port}: {_connect_reason(cause)}"
        case aiohttp.ClientHttpProxyError():
            return f"proxy refused the connection: HTTP {cause.status}"
        case aiohttp.ClientResponseError():
            return f"invalid HTTP response: {cause.message}"
    return str(cause) or type(cause).__name__


# OpenSSL's numbers: https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/.
_UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21})
_WRONG_TIME = {9: "is not valid yet, or this machine's clock is wrong", 10: "has expired"}
_WRONG_HOST = frozenset({62, 64})


def _connect_reason(error: aiohttp.ClientConnectorError) -> object:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _certificate(error)
    return error.strerror or error.os_error


def _certificate(error: aiohttp.ClientConnectorCertificateError) -> str:
    """Return the problem of the server's certificate, and what to do."""
    cause = error.certificate_error
    code, words = getattr(cause, "verify_code", 0), getattr(cause, "verify_message", str(cause))
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
    """Return whether a header line exceeds the limit that aiohttp was given."""
    # aiohttp wraps the parser's error twice.
    link: BaseException | None = error
    for _ in range(5):
        if link is None or isinstance(link, LineTooLong):
            break
        link = link.__cause__
    return isinstance(link, LineTooLong)


def map_error(
    error: Exception, reason: str, method: str, shown: str, timeout: float, *, is_unsent: bool
) -> GitLabError:
    """Return our error for one of `EXCHANGE_ERRORS`, chained to an error of the system."""
    # Never to aiohttp's: it may hold the request with its credential, or a proxy's password.
    was_sent = not (is_unsent or isinstance(error, _UNMADE))
    if isinstance(error, UnknownEncodingError):
        return DecodeError(reason, method, shown)
    if isinstance(error, aiohttp.ClientResponseError) and "Too many headers" in error.message:
        reason = f"invalid HTTP response: more than {MOST_HEADERS} header lines"
        return DecodeError(reason, method, shown)
    failure: ConnectionFailedError
    if isinstance(error, TimeoutError):
        reason = f"response incomplete after {timeout:g} s"
        failure = TimedOutError(reason, method, shown, was_sent)
    elif isinstance(error, aiohttp.ClientConnectorCertificateError):
        failure = CertificateError(reason, method, shown, was_sent)
    else:
        failure = ConnectionFailedError(reason, method, shown, was_sent)
    cause: object = error
    if isinstance(error, aiohttp.ClientError):
        cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None)
    if isinstance(cause, OSError):
        failure.__cause__ = _stripped(cause)
    return failure


def _stripped(error: OSError) -> OSError:
    # The frames of its traceback and context hold the request.
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


# Packages whose frames are cleared; frames of the caller keep their locals.
_PACKAGES = frozenset(
    {"aiohappyeyeballs", "aiohttp", "asyncio", "gitlab_jobs_async", "urllib", "yarl"}
)


def clear_locals(error: BaseException, *, everywhere: bool = False) -> None:
    """Clear the locals of frames of ours and of aiohttp in the traceback of *error*.

    With *everywhere*, those of all frames. Errors of aiohttp are removed from its causes and
    contexts.
    """
    # Error reporters collect locals, which hold requests with their credentials.
    links, seen = [error], {id(error)}
    while links:
        link = links.pop()
        for frame, _ in traceback.walk_tb(link.__traceback__):
            if everywhere or _is_ours(frame):
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
    # Functions that attrs generates belong to no module.
    return module.partition(".")[0] in _PACKAGES or frame.f_code.co_filename.startswith("<attrs")
