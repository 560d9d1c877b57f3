"""Servers of traces, without a network: the response to a range, by kind of server."""

import hashlib

from gitlab_jobs_async import Response

KINDS = ("ranged", "conditional", "whole", "archived")
URL = "https://gitlab.example.com/api/v4/projects/1/jobs/1/trace"


def response(body, status=200, **headers):
    return Response(status, headers, body, "GET", URL)


def etag_of(body):
    return f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'


def serve(log, wanted, kind):
    """Return the response of a server of this *kind* that has *log* to a `TraceRange`."""
    if kind == "ranged" and wanted.limit is not None:
        start = min(wanted.offset, len(log))
        body = log[start : start + wanted.limit]
        if wanted.etag == etag_of(body):
            return response(b"", 304)
        return response(body, etag=etag_of(body))
    if kind == "archived" and wanted.is_archived:
        if wanted.offset >= len(log):
            return response(b"", 416)
        span = f"bytes {wanted.offset}-{len(log) - 1}/{len(log)}"
        return response(log[wanted.offset :], 206, **{"content-range": span})
    if kind == "conditional":
        etag = etag_of(log)
        return response(b"", 304, etag=etag) if wanted.etag == etag else response(log, etag=etag)
    return response(log)
