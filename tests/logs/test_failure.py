"""The failed section of a log, its last lines and its error, as runners write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.logs import error_lines
from gitlab_jobs_async.logs.error_lines import Likelihood, likelihood_of
from gitlab_jobs_async.logs.failure import FailureReader

STAMP = "2026-11-27T10:00:00.000000Z 01O "


def log(*parts, stamped=False):
    """Return a trace: "+name" starts a section at second 1, "-name" ends one; "-name@9" at 9."""
    out = []
    for part in parts:
        if part[:1] in "+-" and part[1:2].isalpha():
            name, _, at = part[1:].partition("@")
            which = "start" if part[0] == "+" else "end"
            out.append(f"section_{which}:{at or 1}:{name}\r\x1b[0K")
            if stamped:
                out[-1] = STAMP + out[-1] + "\n"
        else:
            out.append((STAMP if stamped else "") + part + "\n")
    return "".join(out).encode()


def read(trace, count=20):
    reader = FailureReader(count)
    reader.feed(trace)
    return reader.close()


def texts(found):
    return [line.text for line in found.lines]


EXIT = "\x1b[31;1mERROR: Job failed: exit code 1\x1b[0;m"
GETTING = ("+get_sources", "Fetching changes...", "-get_sources")
CLEANING = ("+cleanup_file_variables", "Cleaning up: error ignored", "-cleanup_file_variables")


@pytest.mark.parametrize("stamped", [False, True])
def test_failed_script(stamped):
    found = read(
        log(
            "Running with gitlab-runner 19.4.0",
            *GETTING,
            "+step_script",
            "$ make test",
            "collected 3 items",
            "E   AssertionError: 1 != 2",
            "make: *** [test] Error 1",
            "-step_script@9",
            *CLEANING,
            EXIT,
            stamped=stamped,
        )
    )
    assert (found.message, found.exit_code) == ("Job failed: exit code 1", 1)
    assert found.section == ("step_script",)
    assert texts(found)[-1] == "make: *** [test] Error 1"
    assert found.error.text == "E   AssertionError: 1 != 2"


@pytest.mark.parametrize(
    "later",
    [
        "after_script",
        "archive_cache_on_failure",
        "upload_artifacts_on_failure",
        "cleanup_file_variables",
    ],
)
def test_later_stage_is_not_the_failed_one(later):
    found = read(
        log("+step_script", "boom", "-step_script", f"+{later}", "error: x", f"-{later}", EXIT)
    )
    assert (found.section, texts(found), found.error) == (("step_script",), ["boom"], None)


def test_stage_before_the_script_may_fail():
    found = read(
        log("+get_sources", "fatal: repository not found", "-get_sources", *CLEANING, EXIT)
    )
    assert found.section == ("get_sources",)
    assert found.error.text == "fatal: repository not found"


def test_upload_after_a_good_script_may_fail():
    found = read(
        log(
            "+step_script",
            "error: only a word",
            "-step_script",
            "+upload_artifacts_on_success",
            "ERROR: Uploading artifacts as archive... 413 too large",
            "-upload_artifacts_on_success",
            EXIT,
        )
    )
    assert found.section == ("upload_artifacts_on_success",)
    assert found.error.text.endswith("413 too large")


def test_nested_sections_that_ended_did_not_fail():
    nested = ("+step_script@1", "+outer@2", "+inner@3", "fine", "-inner@4", "-outer@5")
    assert read(log(*nested, "-step_script@9", EXIT)).section == ("step_script",)


def test_section_left_open_is_the_failed_one():
    found = read(
        log(
            "+step_script@1",
            "$ ./build",
            "+build@2",
            "ok",
            "-build@3",
            "+tests@4",
            "first",
            "FAIL: second",
            "-step_script@9",
            EXIT,
        )
    )
    assert found.section == ("step_script", "tests")
    assert texts(found) == ["first", "FAIL: second"]


def test_closed_section_is_not_the_failed_one():
    found = read(
        log("+step_script@1", "$ x", "+tests@4", "all good", "-tests@6", "-step_script@9", EXIT)
    )
    assert found.section == ("step_script",)
    assert texts(found) == ["$ x", "all good"]


def test_log_that_ends_early_has_its_last_stage():
    found = read(log("+step_script", "Killed"))
    assert (found.message, found.exit_code, found.section) == (None, None, ("step_script",))
    assert found.error.text == "Killed"


def test_log_without_sections_is_read_whole():
    found = read(log("one", "ERROR: two", "three", EXIT), 2)
    assert (found.section, texts(found), found.error.text) == (
        (),
        ["ERROR: two", "three"],
        "ERROR: two",
    )


def test_cause_may_be_in_the_verdict_only():
    verdict = 'ERROR: Job failed: failed to pull image "nope" with specified policies'
    found = read(log("+prepare_executor", "Pulling docker image", "-prepare_executor", verdict))
    assert (found.exit_code, found.error.text) == (None, verdict)


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        ("ERROR: Job failed: exit code 137", 137),
        ("ERROR: Job failed: exit status 2", 2),
        ("ERROR: Job failed: command terminated with exit code 126", 126),
        ("ERROR: Job failed: exit status 3221225786", 3221225786),
        ("ERROR: Job failed: exit status -1", -1),
        ("ERROR: Job failed: execution took longer than 1h0m0s seconds", None),
        ('ERROR: Job failed (system failure): pods "x" not found: exit code unknown', None),
        ("ERROR: Job failed: canceled", None),
    ],
)
def test_exit_code_is_the_one_of_the_runner(verdict, code):
    words = verdict.removeprefix("ERROR: ")
    found = read(log("+step_script", "ERROR: Job failed: exit code 9", "-step_script", verdict))
    assert (found.message, found.exit_code) == (words, code)


def test_empty_log_has_nothing():
    found = read(b"")
    assert (found.message, found.section, found.lines, found.error) == (None, (), (), None)


def test_colour_reset_is_no_line():
    """The runner writes it after its last line: sendLog in common/buildlogger."""
    found = read(log("boom", "", "why", "\x1b[31;1mERROR: Job failed: exit code 1", "\x1b[0;m"), 3)
    assert texts(found) == ["boom", "", "why"]


def test_open_section_does_not_hide_the_verdict():
    found = read(log("+step_script", "go", "+tests@2", "$ x", "odd", EXIT, "\x1b[0;m"))
    assert (found.exit_code, found.section) == (1, ("step_script", "tests"))
    assert (texts(found), found.error) == (["$ x", "odd"], None)


def test_verdict_of_a_script_before_the_end():
    found = read(log("+step_script", "ERROR: Job failed: exit code 7", "more"))
    assert (found.message, found.exit_code) == (None, None)
    assert found.error.text == "ERROR: Job failed: exit code 7"


@pytest.mark.parametrize(("size", "kept"), [(1 << 18, 16), (3 << 20, 1), (5 << 20, 1)])
@pytest.mark.no_cover("repeats a few lines for long texts")
def test_very_long_lines_are_kept_within_a_bound(size, kept):
    found = read(log("+step_script", *["\N{GRINNING FACE}" + "x" * (size - 4)] * 18, EXIT))
    assert len(found.lines) == kept


def test_lines_of_an_earlier_stage_do_not_count():
    before = ["+get_sources", "x" * (3 << 20), "-get_sources"]
    found = read(log(*before, "+step_script", "go", *["y" * (1 << 20)] * 3, EXIT))
    assert texts(found)[0] == "go"


def test_any_number_of_lines_may_be_wanted():
    assert texts(read(log("+step_script", *"ab", "-step_script", EXIT), 2**70)) == ["a", "b"]


def test_no_lines_may_be_wanted():
    assert read(log("+step_script", "error: x", EXIT), 0).lines == ()


def test_command_with_the_word_is_no_error():
    found = read(log("+step_script", "$ ./check --fail-on error", "x", "-step_script", EXIT))
    assert found.error is None


@pytest.mark.parametrize(
    "text",
    [
        "error: linking with `cc` failed",
        "error[E0308]: mismatched types",
        "Error: Cannot find module './x'",
        "ERROR: failed to solve: process did not complete",
        "[ERROR] COMPILATION ERROR : ",
        "src/main.c:3:5: error: expected ';' before '}' token",
        "src/main.c:3:10: fatal error: x.h: No such file or directory",
        "src/a.ts(3,5): error TS2322: Type 'string' is not assignable",
        "src/a.ts:3:5 - error TS2322: Type 'string' is not assignable",
        "app/x.py:12: error: Incompatible types in assignment  [assignment]",
        "./main.go:3:5: undefined: x",
        "Program.cs(1,2): error CS1002: ; expected",
        "--- FAIL: TestCart (0.00s)",
        "FAIL\tshop/cart\t0.012s",
        "FAIL src/cart.test.js",
        "E   ModuleNotFoundError: No module named 'x'",
        "FAILED tests/test_a.py::test_b - AssertionError",
        "ValueError: invalid literal for int()",
        "java.lang.NullPointerException: x",
        "Failure/Error: expect(1).to eq(2)",
        "npm ERR! code ELIFECYCLE",
        "npm error code ENOENT",
        "FAILURE: Build failed with an exception.",
        "e: file:///src/Main.kt:3:5 Unresolved reference: x",
        "panic: runtime error: index out of range",
        "thread 'main' panicked at src/main.rs:2:5:",
        "fatal: not a git repository",
        "│ Error: Unsupported argument",
        "Segmentation fault (core dumped)",
    ],
)
def test_certain_errors(text):
    assert likelihood_of(f"  {text}") == Likelihood.CERTAIN


@given(st.from_regex(error_lines._LOCATED), st.text(max_size=5))
def test_located_errors_have_possible_words(located, before):
    """Only lines with such words are searched for a location, which is slow on long words."""
    assert error_lines._POSSIBLE.search(f"{before}{located}")


@pytest.mark.parametrize(
    "text",
    [
        "bash: line 3: foo: command not found",
        "make: *** [Makefile:3: test] Error 1",
        "cp: cannot stat 'x': No such file or directory",
        "curl: (7) Failed to connect: Connection refused",
        "Killed",
        "✖ 3 problems",
    ],
)
def test_possible_errors(text):
    assert likelihood_of(text) == Likelihood.POSSIBLE


@pytest.mark.parametrize(
    "text",
    [
        "0 errors, 3 warnings",
        "Tests run: 5, Failures: 0, Errors: 0",
        "found 0 vulnerabilities, no errors",
        "WARNING: error margin",
        "test_fails_on_error PASSED [ 12%]",
        "tests/test_errors.py::test_failed_login PASSED",
        "Compiling thiserror v1.0",
        "$ grep error log",
        "collected 12 items",
        "",
    ],
)
def test_harmless_lines(text):
    assert likelihood_of(text) == Likelihood.NONE


@pytest.mark.parametrize(
    "part", ["a:1", "(1,", "error ", "Error.", "\x00", "[", "x" * 7, "thread '", "- "]
)
def test_long_lines_are_searched_in_bounded_time(part):
    """Would take minutes if a pattern backtracked; the timeout of the suite ends it."""
    for _ in range(200):
        likelihood_of(part * 100_000)


PARTS = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "+step_script",
                "-step_script@9",
                "+after_script",
                "-after_script",
                "+tests@2",
                "-tests@3",
                "$ make",
                "error: x",
                "E   y",
                "fine",
                "",
                EXIT,
                "\x1b[0K",
                "a\rb",
            ]
        ),
        st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=8),
    ),
    max_size=30,
).map(lambda parts: [part or " " for part in parts])


@given(PARTS, st.booleans(), st.data())
def test_result_does_not_depend_on_cuts(parts, stamped, data):
    trace = log(*parts, stamped=stamped)
    whole, pieces = read(trace, 3), FailureReader(3)
    while trace:
        size = data.draw(st.integers(1, len(trace)))
        pieces.feed(trace[:size])
        trace = trace[size:]
    assert pieces.close() == whole


@pytest.mark.parametrize(
    "piece",
    [
        b"section_start:1:step_script\r\x1b[0K",
        b"section_start:1:a\r\x1b[0Ksection_end:2:a\r\x1b[0K",
        b"section_start:1:step_script\r\x1b[0Kx\nsection_end:2:step_script\r\x1b[0K",
        b"\0\r",
        b"no line break at all ",
    ],
)
def test_hostile_log_takes_little_memory(piece):
    reader = FailureReader(5)
    for _ in range(200):
        reader.feed(piece * 200)
    assert len(reader._closed) <= 64
    assert len(reader.close().lines) <= 5
