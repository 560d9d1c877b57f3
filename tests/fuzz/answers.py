"""A raw server with odd answers, and every way of reading them: only our errors may come."""

import asyncio
import contextlib
import random
import re

from gitlab_jobs_async import GitLab, GitLabError, Limits, PollPolicy, Request, RetryPolicy
from gitlab_jobs_async.monitor.hints.ask import ask
from gitlab_jobs_async.monitor.hints.questions import jobs_question
from tests.fuzz import samples
from tests.fuzz.mutations import changed, odd_headers, odd_page, packed, some_bytes
from tests.support.connections import open_connections
from tests.support.graphql_answers import job_row, pipeline_row, project_row, projects

LONGEST = 5.0
"""Seconds that one call may take; its own timeout is far below."""

STATUSES = [b"200"] * 12 + [
    b"201", b"202", b"204", b"206", b"301", b"302", b"304", b"307", b"400", b"401", b"404", b"405",
    b"408", b"409", b"416", b"429", b"500", b"502", b"503", b"521", b"999", b"099", b"20", b"x",
    b"100", b"101", b"199",
]  # fmt: skip


LENGTH = re.compile(rb"^Content-Length: (\d+)", re.IGNORECASE | re.MULTILINE)


def body_for(rng, path):
    """Return a mutated response of GitLab."""
    if path.endswith("/graphql"):
        pipelines = [pipeline_row(9, [job_row(n) for n in range(rng.randrange(4), 0, -1)])]
        given = {"data": projects(project_row(1, pipelines), project_row(2))}
        if rng.random() < 0.3:
            given["errors"] = [{"message": "Timeout", "extensions": {"code": "x"}}]
        return odd_page(rng, given)
    if path.endswith("/trace"):
        return changed(rng, samples.LOG * rng.randrange(1, 20))
    parts = path.split("/")
    if parts[-1].isdigit():
        value = samples.job(int(parts[-1])) if "jobs" in parts else samples.PIPELINE
    else:
        value = [samples.job(n) for n in range(rng.randrange(1, 5), 0, -1)]
    return odd_page(rng, value)


def head_of(rng, body):
    """Status line and headers for *body*, and whether they are as they should be."""
    lines = [b"HTTP/1.1 " + rng.choice(STATUSES) + b" X"]
    match rng.randrange(10):
        case 0:
            lines.append(b"Transfer-Encoding: chunked")
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        case 1:
            lines.append(b"Content-Length: %d" % rng.choice([0, len(body) + 9, 10**12]))
        case 2:
            lines.append(b"Connection: close")
        case _:
            lines.append(b"Content-Length: %d" % len(body))
    for name, value in odd_headers(rng).items():
        lines.append(name.encode() + b": " + value.encode("utf-8", "surrogateescape"))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def answer_to(rng, path):
    """The bytes of one answer."""
    body = body_for(rng, path)
    if rng.random() < 0.15:
        body = packed(rng, body)
    answer = head_of(rng, body)
    if rng.random() < 0.2:
        coding = rng.choice([b"gzip", b"deflate", b"br", b"gzip\r\nContent-Encoding: gzip"])
        answer = answer.replace(b"\r\n", b"\r\nContent-Encoding: " + coding + b"\r\n", 1)
    if rng.random() < 0.15:
        answer = changed(rng, answer)
    return answer if rng.random() > 0.01 else some_bytes(rng)


class Server:
    """Answers by number, so that each answer comes again with its seed."""

    def __init__(self, seed):
        self.seed, self.answered, self.writers = seed, 0, set()

    async def serve(self, reader, writer):
        self.writers.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                rng = random.Random(f"{self.seed}/{self.answered}")
                self.answered += 1
                if length := LENGTH.search(head):
                    await reader.readexactly(int(length[1]))
                path = head.split(b" ")[1].partition(b"?")[0].decode("latin-1")
                answer = answer_to(rng, path)
                cut = rng.randrange(len(answer) + 1)
                writer.write(answer[:cut])
                if rng.random() < 0.2:
                    await asyncio.sleep(0)
                writer.write(answer[cut:])
                await writer.drain()
                if rng.random() < 0.5:
                    break
        self.writers.discard(writer)
        writer.close()


async def streamed(context):
    async with context as chunks:
        async for _ in chunks:
            pass


async def iterated(items):
    async with contextlib.aclosing(items):
        async for _ in items:
            pass


CALLS = [
    lambda g: g.project(1).list_jobs(),
    lambda g: iterated(g.project(1).iter_jobs()),
    lambda g: g.project(1).list_pipelines(),
    lambda g: g.project(1).list_bridges(2),
    lambda g: g.project(1).list_artifacts(2),
    lambda g: g.project(1).get_job(2),
    lambda g: g.project(1).get_pipeline(2),
    lambda g: g.project(1).cancel_job(2),
    lambda g: g.project(1).play_job(2),
    lambda g: g.project(1).delete_artifacts(2),
    lambda g: g.project(1).get_trace(2),
    lambda g: g.project(1).get_artifact_file(2, "a"),
    lambda g: streamed(g.project(1).stream_trace(2)),
    lambda g: streamed(g.project(1).stream_artifacts(2)),
    lambda g: iterated(g.project(1).follow_trace(2, polling=PollPolicy(outage_timeout=0))),
    lambda g: iterated(g.project(1).tail(2, lines=3, follow=False)),
    lambda g: g.get_token_job(),
    lambda g: g.send(Request("HEAD", "/version")),
    lambda g: g.graphql("query($a: Int) { a(b: $a) }", {"a": 1}),
    lambda g: ask(g._transport, jobs_question([1, 2])),
]  # fmt: skip


class NoWait:
    """A clock on which only asking takes time."""

    def __init__(self):
        self.at = 1_750_000_000.0

    def now(self):
        return self.at

    async def sleep(self, seconds):
        self.at += seconds
        await asyncio.sleep(0)


async def one(gitlab, rng, wrong):
    """Make one call and record any error that is not ours."""
    number = rng.randrange(len(CALLS))
    try:
        async with asyncio.timeout(LONGEST):
            await CALLS[number](gitlab)
    except GitLabError:
        pass
    except TimeoutError:
        # What follows a job that a lying server never ends may go on; a single answer may not.
        if number not in {14, 15}:
            wrong.append(f"call {number}: more than {LONGEST} s")
    except Exception as error:
        wrong.append(f"call {number}: {type(error).__name__}: {error}"[:500])


async def attack(seed, count, side_by_side=150):
    """Have *count* answers read; returns how many were, and what went wrong."""
    server, wrong, rng = Server(seed), [], random.Random(seed)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, limit=2**20)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    loop, leaks = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, context: leaks.append(str(context)[:500]))
    limits = Limits(page=500_000, trace=1_000_000, archive=1_000_000)
    # A listing that a server keeps alive for ever ends with the client's own block.
    while server.answered < count and len(wrong) + len(leaks) < 20:
        before = asyncio.all_tasks()
        async with GitLab(
            url,
            auth="x",
            timeout=0.3,
            concurrency=150,
            retry=RetryPolicy(attempts=1),
            limits=limits,
            clock=NoWait(),
        ) as gitlab:
            await asyncio.gather(*(one(gitlab, rng, wrong) for _ in range(side_by_side)))
            if open_connections(gitlab):
                wrong.append("a connection is left")
        await asyncio.sleep(0)
        left = {t for t in asyncio.all_tasks() - before if "Server.serve" not in repr(t)}
        wrong += [f"left: {task!r}"[:500] for task in left if not task.done()]
    listening.close()
    for writer in set(server.writers):
        writer.close()
    await listening.wait_closed()
    return server.answered, wrong + leaks
