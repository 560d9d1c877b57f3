"""Plant one fault after another and report which ones no test notices.

Run by hand: `python .ci/mutants.py [--only M04 ...] [--wide]`; the mutants and the tests of each
are in `mutants.toml` beside this file. Each is planted in a copy of the repository, in a temporary
directory, and the tests of its module run there, in their order (with `--wide` all tests), until
one fails. The copy is first tested without any mutant. A mutant is `killed` by a failing test,
`timed out` where none ended in time (which somebody would notice, too), `equivalent` where it
changes no behaviour, for the reason given, or it `survived`. One whose text no longer stands
exactly once in its file is an error: mend the list. Exits with 1 if any survived or is an error.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve()
ROOT = HERE.parents[1]
PACKAGE = "gitlab_jobs_async"
COPIED = (PACKAGE, "tests", "pyproject.toml", "README.md", "CHANGELOG.md", "benchmarks", ".ci")
SECONDS = 300
"""How long the tests of one mutant may take; ten times that with `--wide`."""


class Mutant(NamedTuple):
    """One fault: *old* text of a *file* of the package for *new*, and the tests that may see it."""

    id: str
    file: str
    old: str
    new: str
    breaks: str
    tests: list[str]
    equivalent: str = ""


def mutants() -> list[Mutant]:
    """The list beside this file, each with its id."""
    listed = tomllib.loads(HERE.with_suffix(".toml").read_text(encoding="utf-8"))
    return [Mutant(id=name, **fields) for name, fields in listed.items()]


def planted(text: str, mutant: Mutant) -> str | None:
    """The file's text with the fault, or `None` if its place is not found, or not the only one."""
    return text.replace(mutant.old, mutant.new) if text.count(mutant.old) == 1 else None


def run(copy: Path, tests: list[str], seconds: float, jobs: str) -> str:
    """What came of *tests* in *copy*: `passed`, `timed out` or `killed by` a test."""
    # The package is installed from the work tree; the copy must be found before it.
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", jobs, "--no-header", "-rfE"]
    command += ["-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command,
            cwd=copy,
            env=environment,
            timeout=seconds,
            capture_output=True,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "timed out"
    if done.returncode == 0:
        return "passed"
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if done.returncode != 1 and not failed:
        sys.exit(f"the tests could not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return f"killed by {failed[0].split(' - ')[0].split('::', 1)[-1]}" if failed else "killed"


def check_copy(copy: Path) -> None:
    """Exit unless it is the copy that tests import."""
    command = [sys.executable, "-c", f"import {PACKAGE}; print({PACKAGE}.__file__)"]
    environment = os.environ | {"PYTHONPATH": str(copy)}
    found = subprocess.run(
        command, cwd=copy, env=environment, capture_output=True, text=True, check=True
    )
    if not found.stdout.startswith(str(copy)):
        sys.exit(f"the tests would import {found.stdout.strip()}, not the copy in {copy}")


def tried(copy: Path, mutant: Mutant, options: argparse.Namespace) -> str:
    """What became of one mutant."""
    path = copy / PACKAGE / mutant.file
    text = path.read_text(encoding="utf-8")
    changed = planted(text, mutant)
    if changed is None:
        return "error: its text does not stand exactly once in the file"
    if mutant.equivalent:
        return f"equivalent: {mutant.equivalent}"
    path.write_text(changed, encoding="utf-8")
    try:
        tests = ["tests"] if options.wide else mutant.tests
        seconds = SECONDS * 10 if options.wide else SECONDS
        outcome = run(copy, tests, seconds, options.jobs)
    finally:
        path.write_text(text, encoding="utf-8")
        # Examples that failed with this mutant say nothing of the next.
        shutil.rmtree(copy / ".hypothesis", ignore_errors=True)
    return "survived" if outcome == "passed" else outcome


def main() -> int:
    """Try all mutants, or those named, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="ID", help="only these mutants")
    parser.add_argument("--wide", action="store_true", help="run all tests for each")
    parser.add_argument("--unchecked", action="store_true", help="do not test the copy first")
    parser.add_argument("--jobs", default="0", help="processes for the tests (0: in this one)")
    options = parser.parse_args()
    chosen = [m for m in mutants() if not options.only or m.id in options.only]
    if options.only and len(chosen) < len(set(options.only)):
        parser.error("no such mutant")
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory).resolve()
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, copy / name)
        check_copy(copy)
        tests = sorted({test for m in chosen if not m.equivalent for test in m.tests})
        if not options.unchecked and ((outcome := run(copy, tests, SECONDS * 10, "2")) != "passed"):
            sys.exit(f"without a mutant the tests do not pass: {outcome}")
        for mutant in chosen:
            begun = time.monotonic()
            outcome = tried(copy, mutant, options)
            counts[outcome.split(":")[0].split(" by ")[0]] += 1
            took = time.monotonic() - begun
            print(
                f"{mutant.id:5} {mutant.file:26} {took:4.0f} s  {outcome}  [{mutant.breaks}]",
                flush=True,
            )
    print(", ".join(f"{count} {name}" for name, count in sorted(counts.items())))
    return 1 if counts["survived"] or counts["error"] else 0


if __name__ == "__main__":
    sys.exit(main())
