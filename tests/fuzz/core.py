"""Cases for the pure parts that read what a server sends; they raise what is documented."""

from itertools import pairwise

import orjson

from gitlab_jobs_async import (
    ArtifactEntry,
    Bridge,
    DecodeError,
    GitLabError,
    GraphQLError,
    Job,
    Pipeline,
    Request,
    RequestBudget,
    Response,
    ResponseError,
    RetryPolicy,
    WebhookRejectedError,
    estimate_complexity,
    parse_webhook,
)
from gitlab_jobs_async.api.decoding import decode, decode_job_or_bridge, decode_rows
from gitlab_jobs_async.api.graphql import data_of, graphql_request
from gitlab_jobs_async.api.links import next_page, number_in
from gitlab_jobs_async.api.responses import error_of, merge_headers
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.http.decompression import (
    TruncatedBodyError,
    UnknownEncodingError,
    decoder_for,
)
from gitlab_jobs_async.http.redirects import RedirectRefusedError, next_hop
from gitlab_jobs_async.listing.keyset import KeysetStrategy
from gitlab_jobs_async.listing.offset import OffsetStrategy
from gitlab_jobs_async.logs.parser import LogParser
from gitlab_jobs_async.logs.trace_cursor import TraceCursor, check_trace
from gitlab_jobs_async.models import AllowedAgents
from gitlab_jobs_async.monitor.hints.questions import jobs_question
from gitlab_jobs_async.monitor.hints.snapshots import snapshots_of
from tests.fuzz import samples
from tests.fuzz.mutations import (
    changed,
    odd_headers,
    odd_page,
    odd_value,
    packed,
    some_bytes,
)
from tests.support.graphql_answers import job_row, pipeline_row, project_row, projects

SERVER = ServerUrl("https://gitlab.example.com")
LISTING = Request("GET", "/projects/1/jobs", [("pagination", "keyset"), ("per_page", "100")])
NOW = 1_750_000_000.0
KINDS = [Job, Bridge, Pipeline, ArtifactEntry]


def answer(rng, body=b"", status=200):
    return Response(status, odd_headers(rng), body, "GET", "https://gitlab.example.com/api/v4/x")


def rows(rng):
    make = rng.choice([samples.job, samples.bridge, lambda n: samples.PIPELINE | {"id": n}])
    return [make(n) for n in range(rng.randrange(1, 6), 0, -1)]


def decoding(rng):
    page = answer(rng, odd_page(rng, rows(rng)))
    if rng.random() < 0.5:
        decode_rows(page, rng.choice(KINDS), rng.choice([None, lambda given: given[:2]]))
        return
    single = answer(rng, odd_page(rng, rows(rng)[0]))
    if rng.random() < 0.5:
        decode(single, rng.choice([Job, Bridge, Pipeline, AllowedAgents]))
    else:
        decode_job_or_bridge(single)


def errors(rng):
    said = rng.choice([{"message": {"a": ["b"]}}, {"error": "x", "error_description": "y"}, "z"])
    body = odd_page(rng, said) if rng.random() < 0.7 else some_bytes(rng)
    error = error_of(answer(rng, body, rng.randrange(300, 600)), NOW)
    assert str(error).isprintable()
    wait = RetryPolicy().wait_before_retry(1, error, is_safe=True, jitter=rng.random())
    assert wait is None or wait >= 0


def links(rng):
    page = answer(rng)
    following = next_page(SERVER, LISTING, page)
    assert following is None or following.params != LISTING.params
    number_in(page, "x-total")


def headers(rng):
    merge_headers(
        (rng.choice(["Link", "link", "X"]), odd_value(rng)) for _ in range(rng.randrange(9))
    )
    budget = RequestBudget()
    budget.attach()
    for _ in range(3):
        heard = answer(rng, status=rng.choice([200, 200, 429, 503]))
        budget.answered(budget.sent(rng.choice(["", "jobs"])), heard, NOW + rng.random() * 60)
        budget.snapshot()


def compression(rng):
    coding = rng.choice(["gzip", "deflate", "x-gzip", "identity", "br", "gzip,gzip", ", gzip"])
    decoder, body = decoder_for(coding), packed(rng, some_bytes(rng))
    size = rng.choice([1, 7, 9999])
    for start in range(0, len(body), size):
        for piece in decoder.feed(body[start : start + size]):
            assert len(piece) <= 256 * 1024 or coding == "identity"
    decoder.finish()


def trace(rng):
    cursor, log = TraceCursor(rng.choice([0, 0, 5, 300])), samples.LOG * rng.randrange(1, 30)
    emitted = cursor.offset
    for _ in range(rng.randrange(1, 8)):
        asked = cursor.next_request(is_archived=rng.random() < 0.2)
        whole = changed(rng, log) if rng.random() < 0.3 else log
        start = rng.choice([asked.offset, asked.offset, 0, rng.randrange(len(log))])
        body = whole[start:] if rng.random() < 0.8 else some_bytes(rng)
        head = answer(rng, status=rng.choice([200, 200, 200, 206, 304, 416, 202]))
        cursor.begin_response(check_trace(head, conditional=True, partial=True))
        size = rng.choice([1, 100, 10_000])
        chunks = [
            cursor.receive_data(body[at : at + size]) for at in range(0, min(len(body), 2000), size)
        ]
        for chunk in [*chunks, cursor.end_response()]:
            if chunk is not None:
                assert chunk.offset in {emitted, 0}
                emitted = chunk.end
        assert emitted == cursor.offset
        log += samples.LOG


def log_lines(rng):
    parser, log = LogParser(), changed(rng, samples.LOG * rng.randrange(1, 4))
    if rng.random() < 0.2:
        log = log.decode(errors="replace").encode("utf-16-le")
    size = rng.choice([1, 5, 50, 5000])
    lines = [line for at in range(0, len(log), size) for line in parser.feed(log[at : at + size])]
    lines += parser.close()
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    assert all(before.end <= after.end for before, after in pairwise(lines))


def hooks(rng):
    is_job = rng.random() < 0.5
    body = odd_page(rng, samples.JOB_HOOK if is_job else samples.PIPELINE_HOOK)
    given = {"X-Gitlab-Event": "Job Hook" if is_job else "Pipeline Hook", "X-Gitlab-Token": "t"}
    if rng.random() < 0.3:
        given |= {"webhook-id": odd_value(rng), "webhook-timestamp": odd_value(rng)}
        given |= {"webhook-signature": odd_value(rng), "Idempotency-Key": odd_value(rng)}
    parse_webhook(given, body, token=rng.choice(["t", None]), now=NOW)


def redirects(rng):
    parts = ["http", "https", ":", "//", "gitlab.example.com", "b.example", "/", "/api/v4/", "@",
             "?a=b c", "#x", "%", "%2F", "ü", "\udcff", "\\", "[::1]", "[", ":99999", ":8", " ", "",
             "..", "\t", "xn--", "a" * 70, "。"]  # fmt: skip
    location = "".join(rng.choice(parts) for _ in range(rng.randrange(9)))
    hop = rng.choice([LISTING, "https://b.example/a"])
    leads = next_hop(SERVER, hop, rng.choice([301, 302, 303, 307, 308]), location)
    if isinstance(leads, str):
        assert leads.isascii()
        assert leads.isprintable()
        assert " " not in leads


def listings(rng):
    """A walk through pages of a server that makes no sense: it ends, or says so."""
    walk = rng.choice([
        KeysetStrategy(SERVER, LISTING, rng.choice([1, 4])),
        OffsetStrategy(SERVER, Request("GET", "/projects/1/pipelines/2/jobs"), in_order=False),
    ])  # fmt: skip
    for _ in range(12):
        asks = walk.next_requests(3, rng.randrange(3))
        if not asks:
            return
        ask = rng.choice(asks)
        if rng.random() < 0.2:
            failed = error_of(answer(rng, b"{}", rng.choice([400, 404, 405, 500])), NOW)
            walk.on_error(ask, failed)
            continue
        count = rng.choice([0, 1, 3, 100])
        top = rng.choice([10, 150, 10**9])
        page = answer(rng, orjson.dumps([samples.job(top - n) for n in range(count)]))

        def taken(given, walk=walk, ask=ask, page=page):
            return walk.on_page(ask, page, given)

        decode_rows(page, Job, taken)
        return


def graphql(rng):
    rows = [job_row(n) for n in range(rng.randrange(5), 0, -1)]
    given = {"data": projects(project_row(1, [pipeline_row(9, rows)]), project_row(2))}
    if rng.random() < 0.3:
        given["errors"] = [{"message": "Timeout", "extensions": {"code": "x"}}, None]
    question = jobs_question([1, 2])
    request = graphql_request(question.query, question.variables)
    data = data_of(answer(rng, odd_page(rng, given)), request, str)
    for project_id, snapshot in snapshots_of(data, question).items():
        assert project_id == snapshot.project_id
        assert project_id in {1, 2}


def queries(rng):
    query = changed(rng, jobs_question([1]).query.encode()).decode(errors="replace")
    assert estimate_complexity(query) > 0


TARGETS = {
    decoding: (DecodeError,),
    errors: (),
    links: (DecodeError,),
    headers: (),
    compression: (TruncatedBodyError, UnknownEncodingError),
    trace: (DecodeError,),
    log_lines: (),
    hooks: (WebhookRejectedError,),
    redirects: (RedirectRefusedError,),
    listings: (GitLabError, ResponseError),
    graphql: (DecodeError, GraphQLError),
    queries: (ValueError,),
}
"""Each part, and what it may raise."""
