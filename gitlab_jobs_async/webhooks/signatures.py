"""A delivery's headers and body -> whether whoever sent them knows the webhook's secrets.

Both ways of GitLab's: a secret token that stands in a header, and a signature with a signing token,
which follows https://www.standardwebhooks.com and gitlab-org/gitlab!230944. Comparisons take the
same time whatever is given, and no message holds a secret.
"""

import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen

Tokens = str | Iterable[str] | None
"""One secret, or several of which any will do, as while one replaces the other."""

_PREFIX = "whsec_"
_VERSION = "v1"
_SECONDS = re.compile(r"[0-9]{1,12}")
_UNSENDABLE = re.compile(r"^\s|\s$|[\x00-\x1f\x7f]|^$")


@frozen
class Secrets:
    """What deliveries are checked against; each kind that is not empty must verify.

    *tolerance* is how many seconds a signature's timestamp may be away from now.
    """

    tokens: tuple[bytes, ...] = field(repr=False)
    keys: tuple[bytes, ...] = field(repr=False)
    tolerance: float

    @classmethod
    def of(cls, token: Tokens, signing_token: Tokens, tolerance: float) -> "Secrets":
        """Return what the caller gives for them.

        Raises:
            ValueError: a secret can never match, or *tolerance* is not above 0.
            TypeError: a secret is not a string.
        """
        tokens, signing = _listed("token", token), _listed("signing_token", signing_token)
        if type(tolerance) not in {int, float} or not tolerance > 0:
            raise ValueError(f"tolerance must be seconds above 0, not {tolerance!r}")
        if any(map(_UNSENDABLE.search, tokens)):
            raise ValueError(
                "token (not shown) must be text without control characters and without white "
                "space around it, as a header keeps it"
            )
        keys = tuple(map(_key_of, signing))
        if not all(keys):
            raise ValueError(
                "signing_token (not shown) must be whsec_ and then base64, as GitLab shows it once"
            )
        return cls(tuple(map(_as_bytes, tokens)), keys, tolerance)

    def refusal(self, headers: Mapping[str, str], body: bytes, now: float) -> str | None:
        """Return why this delivery is not believed, `None` if it is.

        *headers* have lower-case names; *now* is in Unix seconds.
        """
        given = _as_bytes(headers.get("x-gitlab-token", ""))
        if self.tokens and not _any_equal(self.tokens, [given]):
            return "the X-Gitlab-Token header is wrong or missing"
        return self._unsigned(headers, body, now) if self.keys else None

    def _unsigned(self, headers: Mapping[str, str], body: bytes, now: float) -> str | None:
        number, stamp, signature = (headers.get(f"webhook-{name}", "") for name in _SIGNED_BY)
        if not (number and stamp and signature):
            missing = next(name for name in _SIGNED_BY if not headers.get(f"webhook-{name}"))
            return f"the webhook-{missing} header is missing"
        if _SECONDS.fullmatch(stamp) is None:
            return "the webhook-timestamp header is not a time in Unix seconds"
        signed = b".".join((_as_bytes(number), stamp.encode(), body))
        expected = [b64encode(hmac.digest(key, signed, "sha256")) for key in self.keys]
        versions = (part.partition(",") for part in signature.split())
        given = [_as_bytes(text) for version, _, text in versions if version == _VERSION]
        if not _any_equal(expected, given):
            return "the webhook-signature header does not fit the body"
        if not abs(now - int(stamp)) <= self.tolerance:
            return f"the webhook-timestamp header is more than {self.tolerance:g} s away from now"
        return None


_SIGNED_BY = ("id", "timestamp", "signature")


def _listed(name: str, given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    is_several = isinstance(given, Iterable) and not isinstance(given, str | bytes | bytearray)
    found = tuple(given) if is_several else (given,)
    if not found:
        raise ValueError(f"{name} must be at least one string; None checks nothing")
    for one in found:
        if not isinstance(one, str):
            raise TypeError(f"{name} must be a string, not {type(one).__name__}")
    return found


def _key_of(token: str) -> bytes:
    """Return the key that a signing token stands for, empty if it is none."""
    if not token.startswith(_PREFIX):
        return b""
    try:
        return b64decode(token.removeprefix(_PREFIX), validate=True)
    except ValueError:
        return b""


def _any_equal(expected: Iterable[bytes], given: Iterable[bytes]) -> bool:
    """Compare each with each, so that the time says nothing of which it was."""
    return sum(hmac.compare_digest(one, other) for one in expected for other in given) > 0


def _as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
