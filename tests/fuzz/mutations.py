"""Odd bytes, odd JSON and odd headers, drawn from a seeded generator so that a case comes again."""

import gzip
import json
import string
import zlib

import orjson

ODD = [
    None, True, False, 0, -1, 1.5, 2**63, 2**64 - 1, -(2**63), 1e308, "", "x", "7", "\x00",
    "\u202e", "2025-06-15T15:00:00.000Z", "9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+14:00",
    "soon", "success", [], {}, [[]], [None], {"id": 1}, {"id": None}, {"": {}}, "a" * 5000,
    ["x"] * 300,
]  # fmt: skip
WORDS = [
    b"", b"[", b"]", b"{", b"}", b'"', b",", b":", b"\\", b"\x00", b"\xff", b"\xed\xa0\x80", b"\r",
    b"\n", b"1e400", b"9" * 400, b"null", b"NaN", b"-0", b"\\ud800", b"<!doctype html><title>x",
    b"[" * 2000, b'{"a":' * 1500, b"\x1b[0K", b"section_start:1:x\r\x1b[0K", b"\x1f\x8b",
]  # fmt: skip
HEADER_VALUES = [
    "", "0", "-1", "1", "60", "1e9", "9" * 400, "٣", "nan", "inf", "1, 2", "Wed, 99 Oct 2015", ",",
    "Wed, 21 Oct 2015 07:28:00 GMT", "Thu, 01 Jan 0001 00:00:00 -2359", "next", "a" * 9000, "\xff",
    "<", "<" * 5000, '<x>; rel="next"', '<http://[::1>; rel="next"', ";" * 3000, '"' * 3000,
    '</api/v4/projects/1/jobs?cursor=x>; rel="next"', "<" + ">;" * 2000, " " * 4000, "\t", "\x01",
    "bytes 0-1/2", "bytes 9-1/*", "bytes 0-99999999999999999999/1", "gzip", "gzip, gzip", "br",
    "text/html", "application/json", "//x/y", "http://a b/", "https://[x/", "/users/sign_in",
]  # fmt: skip
HEADER_NAMES = [
    "Link", "X-Next-Page", "X-Total", "X-Page", "X-Per-Page", "X-Next-Cursor", "Retry-After",
    "Date", "RateLimit-Remaining", "RateLimit-Limit", "RateLimit-Reset", "RateLimit-ResetTime",
    "ETag", "RateLimit-Name", "Content-Range", "Content-Type", "X-Request-Id", "Location",
    "Set-Cookie",
]  # fmt: skip


def some_bytes(rng, most=200):
    """Random bytes, of a kind that parsers are sensitive to."""
    if rng.random() < 0.3:
        return rng.randbytes(rng.randrange(most))
    return b"".join(rng.choice(WORDS) for _ in range(rng.randrange(1, 12)))


def changed(rng, data):
    """*data* with a few bytes cut, doubled, overwritten or put in."""
    data = bytearray(data)
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3, 8])):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0:
                del data[at:]
            case 1:
                del data[at : at + rng.randrange(1, 40)]
            case 2:
                data[at:at] = data[at : at + rng.randrange(1, 200)] * rng.choice([1, 2, 20])
            case 3:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case _:
                data[at:at] = some_bytes(rng)
    return bytes(data)


def odd_json(rng, value, depth=0):
    """*value* with some of its parts replaced, dropped or doubled."""
    if rng.random() < (0.02 if depth else 0.004):
        return rng.choice(ODD)
    if isinstance(value, dict):
        kept = {k: odd_json(rng, v, depth + 1) for k, v in value.items() if rng.random() > 0.01}
        if rng.random() < 0.02:
            kept["".join(rng.choices(string.printable, k=5))] = rng.choice(ODD)
        return kept
    if isinstance(value, list):
        rows = [odd_json(rng, v, depth + 1) for v in value if rng.random() > 0.01]
        return rows * rng.choice([0, 2, 40, 101]) if rng.random() < 0.02 else rows
    return value


def odd_page(rng, value):
    """*value* as JSON, changed as a value, as bytes, or not at all."""
    odd = odd_json(rng, value)
    try:
        data = orjson.dumps(odd)
    except TypeError:  # integers beyond 64 bits
        data = json.dumps(odd).encode()
    return changed(rng, data) if rng.random() < 0.3 else data


def odd_headers(rng):
    """A few headers that the SDK reads, with values that they should not have."""
    names = rng.choices(HEADER_NAMES, k=rng.randrange(6))
    return {name.lower(): odd_value(rng) for name in names}


def odd_value(rng):
    """The value of a header."""
    value = rng.choice(HEADER_VALUES)
    if rng.random() < 0.4:
        at = rng.randrange(len(value) + 1)
        value = value[:at] + rng.choice(HEADER_VALUES)[:200] + value[at:]
    return value


def packed(rng, data):
    """*data* compressed in one of the ways that servers have, mostly right."""
    match rng.randrange(5):
        case 0:
            body = gzip.compress(data, 1)
        case 1:
            body = gzip.compress(data[:9], 1) + gzip.compress(data[9:], 1) + bytes(rng.randrange(9))
        case 2:
            body = zlib.compress(data, 1)
        case 3:
            body = gzip.compress(bytes(rng.choice([10, 3_000_000])), 9)
        case _:
            body = gzip.compress(b"", 1) * rng.randrange(200)
    return changed(rng, body) if rng.random() < 0.5 else body
