"""Signatures of webhooks: https://www.standardwebhooks.com and gitlab-org/gitlab!230944.

Written from those pages and not from the SDK, which verifies these signatures.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from typing import Final

_PREFIX: Final = "whsec_"
_KEY_SIZE: Final = 32


def key_of(signing_token: str) -> bytes:
    """Return the key in a signing token, `whsec_` and the base64 of 32 bytes.

    Raises:
        ValueError: it has another form.
    """
    try:
        key = b64decode(signing_token.removeprefix(_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not signing_token.startswith(_PREFIX) or len(key) != _KEY_SIZE:
        raise ValueError("signing_token (not shown): expected whsec_ and base64 of 32 bytes")
    return key


def signature_headers(key: bytes, number: str, at: float, body: bytes) -> dict[str, str]:
    """Return the headers that sign *body* as the message *number* at a time in Unix seconds."""
    timestamp = str(int(at))
    signed = b".".join((number.encode(), timestamp.encode(), body))
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return {
        "webhook-id": number,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{b64encode(digest).decode()}",
    }
