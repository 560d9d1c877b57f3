"""The rules of `simulate --fault`: every effect and filter, and the errors of invalid ones."""

import json
import subprocess
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime

import pytest

from gitlab_jobs_async.cli.commands.faults import fault_of
from gitlab_jobs_async.cli.errors import CommandError
from gitlab_jobs_async.simulator import Fault

THROTTLED = {"status": 429, "body": b"Retry later\n", "content_type": "text/plain"}
RULES = [
    ("status=502", {"status": 502}),
    ("status=502 html=<p>", {"status": 502, "body": b"<p>"}),
    ("""status=500 json='{"message": "500"}'""",
     {"status": 500, "body": b'{"message": "500"}', "content_type": "application/json"}),
    ("status=520 text='no origin'",
     {"status": 520, "body": b"no origin", "content_type": "text/plain"}),
    ("status=503 retry-after=30", {"status": 503, "headers": {"Retry-After": "30"}}),
    ("throttled", THROTTLED | {"headers": {"Retry-After": "60"}}),
    ("throttled retry-after=5", THROTTLED | {"headers": {"Retry-After": "5"}}),
    ("retry-after=none throttled", THROTTLED),
    ("throttled retry-after=date:30", THROTTLED | {"retry_date": 30.0}),
    ("latency=2 jitter=0.5", {"latency": 2.0, "jitter": 0.5}),
    ("reset=before", {"reset": "before"}),
    ("reset=within cut-at=10", {"reset": "within", "cut_at": 10}),
    ("reset=truncated", {"reset": "truncated"}),
    ("drip=1000", {"drip": 1000}),
    ("behind=60 path=/api/graphql", {"behind": 60.0, "path": "/api/graphql"}),
    ("status=500 method=post path=*/jobs skip=2 every=10 times=5 probability=0.1",
     {"status": 500, "method": "POST", "path": "*/jobs", "skip": 2, "every": 10, "times": 5,
      "probability": 0.1}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "fault"), RULES)
def test_rule_is_parsed(rule, fault):
    assert fault_of(rule, print) == Fault(**{"times": None, **fault})


@pytest.mark.parametrize(
    ("name", "status"),
    [("bad-gateway", 502), ("sign-in-page", 200), ("throttled", 429), ("too-many-requests", 429)],
)
def test_answers_that_have_a_name(name, status):
    fault = fault_of(f"{name} path=*/trace", print)
    assert (fault.status, fault.path, fault.times) == (status, "*/trace", None)
    assert fault.body


def test_new_jobs_on_every_nth_request():
    made = []
    fault = fault_of("new-jobs=3 every=10", made.append)
    fault.effect()
    assert (made, fault.every, fault.only_delays) == ([3], 10, True)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("", "expected an effect"),
        ("path=*", "expected an effect"),
        ("oops", "unknown fault 'oops': expected one of bad-gateway, sign-in-page"),
        ("status=500 colour=3", "unknown key 'colour': expected one of status, latency"),
        ("status=9", "'status' must be in range(200, 600)"),
        ("status=x", "status 'x': expected an integer"),
        ("status=500 times=-1", "times '-1': expected an integer"),
        ("status=500 every=0", "'every' must be >= 1: 0"),
        ("status=500 probability=2", "'probability' must be <= 1.0: 2.0"),
        ("latency=nan", "latency 'nan': expected a number from 0"),
        ("latency=inf", "latency 'inf': expected a number from 0"),
        ("reset=never", "'reset' must be in"),
        ("behind=901", "'behind' must be <= 900.0: 901.0"),
        ("drip=0", "'drip' must be >= 1: 0"),
        ("throttled retry-after=soon", "retry-after 'soon': expected an integer"),
        ("throttled retry-after=date:x", "retry-after date: 'x': expected a number"),
        ("retry-after=5", "without a response: expected one such as status=503"),
        ("json={}", "without a response: expected one such as status=503"),
        ("status=500 json='{", "No closing quotation"),
    ],
)
def test_invalid_rule_is_one_line(rule, expected, run, assert_one_line):
    with pytest.raises(CommandError, match="--fault"):
        fault_of(rule, print)
    assert_one_line(run("simulate", "--fault", rule), 2, "--fault", expected)


def test_help_describes_faults(run):
    expected = " ".join(run("simulate", "--help").out.replace("│", " ").split())
    for name in [
        "bad-gateway",
        "sign-in-page",
        "throttled",
        "too-many-requests",
        "latency=2",
        "jitter=0.5",
        "retry-after=date:30",
        "reset=before, unanswered, within",
        "cut-at=100",
        "drip=1000",
        "new-jobs=3",
        "every=10",
        "probability=0.1",
    ]:
        assert name in expected


def test_simulate_serves_the_fault(spawn):
    rules = [
        "new-jobs=2 every=2 path=*/jobs",
        "throttled retry-after=date:30 path=*/jobs skip=1 times=1",
        "status=500 probability=0.5 path=*/version",
    ]
    arguments = [argument for rule in rules for argument in ("--fault", rule)]
    process = spawn(
        "simulate", "--world", "small", "--json", "--seed", 7, *arguments, stdout=subprocess.PIPE
    )
    served = json.loads(process.stdout.readline())

    def ask(path):
        url, headers = f"{served['url']}/api/v4{path}", {"PRIVATE-TOKEN": served["token"]}
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
                return answer.status, answer.headers, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, error.headers, None

    assert len(ask("/projects/1/jobs")[2]) == 6
    status, headers, _ = ask("/projects/1/jobs")
    assert status == 429
    date = {name: parsedate_to_datetime(headers[name]) for name in ("Date", "Retry-After")}
    assert 29 <= (date["Retry-After"] - date["Date"]).total_seconds() <= 31
    assert len(ask("/projects/1/jobs")[2]) == 8
    assert {ask("/version")[0] for _ in range(20)} == {200, 500}
