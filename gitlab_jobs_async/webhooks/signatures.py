"""Verify the secrets of webhook deliveries.

GitLab has two kinds: a secret token in a header, and a signature with a signing token, which
follows https://www.standardwebhooks.com and gitlab-org/gitlab!230944. Comparisons take constant
time, and no message has a secret.
"""

import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen

Tokens = str | Iterable[str] | None
"""One secret, or several of which any may match, while one replaces the other."""

_PREFIX = "whsec_"
_VERSION = "v1"
_SECONDS = re.compile(r"[0-9]{1,12}")
_UNSENDABLE = re.compile(r"^\s|\s$|[\x00-\x1f\x7f]|^$")


@frozen
class Secrets:
    """The secrets of a webhook; each kind that is not empty must verify.

    *tolerance* is the maximum distance of a signature's timestamp from now, in seconds.
    """

    tokens: tuple[bytes, ...] = field(repr=False)
    keys: tuple[bytes, ...] = field(repr=False)
    tolerance: float

    @classmethod
    def of(cls, token: Tokens, signing_token: Tokens, tolerance: float) -> "Secrets":
        """Return the secrets of a caller's arguments.

        Raises:
            ValueError: a secret can never match, or *tolerance* is not above 0.
            TypeError: a secret is not a string.
        """
        tokens, signing = _listed("token", token), _listed("signing_token", signing_token)
        if type(tolerance) not in {int, float} or not tolerance > 0:
            raise ValueError(f"tolerance must be seconds above 0, not {tolerance!r}")
        if any(map(_UNSENDABLE.search, tokens)):
            raise ValueError(
                "invalid token (not shown): expected text without control characters and "
                "surrounding white space, as a header keeps it"
            )
        keys = tuple(map(_key_of, signing))
        if not all(keys):
            raise ValueError(
                "invalid signing_token (not shown): expected whsec_ and base64, as GitLab shows it"
            )
        return cls(tuple(map(_as_bytes, tokens)), keys, tolerance)

    def refusal(self, headers: Mapping[str, str], body: bytes, now: float) -> str | None:
        """Return why this delivery is rejected, None if it is verified.

        *headers* have lower-case names; *now* is in Unix seconds.
        """
        given = _as_bytes(headers.get("x-gitlab-token", ""))
        if self.tokens and not _any_equal(self.tokens, [given]):
            return "X-Gitlab-Token header wrong or missing"
        return self._unsigned(headers, body, now) if self.keys else None

    def _unsigned(self, headers: Mapping[str, str], body: bytes, now: float) -> str | None:
        number, stamp, signature = (headers.get(f"webhook-{name}", "") for name in _SIGNED_BY)
        if not (number and stamp and signature):
            missing = next(name for name in _SIGNED_BY if not headers.get(f"webhook-{name}"))
            return f"webhook-{missing} header missing"
        if _SECONDS.fullmatch(stamp) is None:
            return "invalid webhook-timestamp header: expected Unix seconds"
        signed = b".".join((_as_bytes(number), stamp.encode(), body))
        expected = [b64encode(hmac.digest(key, signed, "sha256")) for key in self.keys]
        versions = (part.partition(",") for part in signature.split())
        given = [_as_bytes(text) for version, _, text in versions if version == _VERSION]
        if not _any_equal(expected, given):
            return "webhook-signature header does not match the body"
        # Last: a timestamp proves nothing before its signature is verified.
        if not abs(now - int(stamp)) <= self.tolerance:
            return f"webhook-timestamp header more than {self.tolerance:g} s from now"
        return None


_SIGNED_BY = ("id", "timestamp", "signature")


def _listed(name: str, given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    is_several = isinstance(given, Iterable) and not isinstance(given, str | bytes | bytearray)
    found = tuple(given) if is_several else (given,)
    if not found:
        raise ValueError(f"{name} must be at least one string, or None for no check")
    for one in found:
        if not isinstance(one, str):
            raise TypeError(f"{name} must be a string, not {type(one).__name__}")
    return found


def _key_of(token: str) -> bytes:
    """Return the key of a signing token, empty if the token is invalid."""
    if not token.startswith(_PREFIX):
        return b""
    try:
        return b64decode(token.removeprefix(_PREFIX), validate=True)
    except ValueError:
        return b""


def _any_equal(expected: Iterable[bytes], given: Iterable[bytes]) -> bool:
    """Return whether any pair is equal, in a time that does not reveal which."""
    return sum(hmac.compare_digest(one, other) for one in expected for other in given) > 0


def _as_bytes(text: str) -> bytes:
    # Any header must be comparable, even one with lone surrogates.
    return text.encode("utf-8", "surrogatepass")
