"""The command `python -m benchmarks`, end to end at its smallest size."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = "<!-- results -->\n<!-- end of results -->\n"
COMPARISON = PAGE.replace("results", "comparison")


def benchmarks(*arguments, folder):
    (folder / "README.md").write_text(PAGE + COMPARISON)
    (folder / "comparison.md").write_text(COMPARISON)
    command = [sys.executable, "-m", "benchmarks", *arguments, "--output", str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


ROWS = (
    ("decode", "decode a page of 100 full jobs into models"),
    ("import_time", "first use of `GitLab` above `import aiohttp`"),
    ("listing_pages", "`list_jobs` beside `iter_jobs`, few pages and many"),
    ("tail", "follow a growing log: bytes by byte ranges"),
    ("growth", "list a growing number of jobs: CPU time a job"),
    ("soak", "work for 5 minutes: memory, tasks and descriptors"),
    ("features", "things that people do in a terminal, done by each program"),
    ("replicas", "2 processes with one store that are killed, frozen, cut off: sqlite"),
    ("parse", "parse a log into lines: plain, a build without colours"),
    ("listing", "list a long project, beside gidgetlab"),
    ("listing_requests", "requests for 2 pages"),
    ("tail_many", "follow many logs of 20 kB for 15 minutes in one process"),
    ("costs", "memory of a watched project with 100 finished jobs"),
    ("week", "work for a simulated week: memory, tasks and descriptors"),
    ("delays", "see the end of a followed job of 5 s to 10 min, on any server"),
)


@pytest.mark.timeout(60)  # seconds on a busy machine: about 3 on a quiet one
@pytest.mark.parametrize(("name", "question"), ROWS)
def test_tiny_run_writes_its_rows(name, question, tmp_path):
    result = benchmarks("--tiny", name, folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert question in result.stdout
    record = json.loads((tmp_path / "results.json").read_text())
    assert {entry["name"] for entry in record["entries"].values()} == {name}
    assert record["entries"][question]["figures"].keys() == {"quiet"}
    assert [run["size"] for run in record["runs"].values()] == ["tiny"]
    page = (tmp_path / "README.md").read_text()
    assert f"| {question} |" in page
    for file in record["drawings"]:
        assert f"({file}.svg)" in page
        assert (tmp_path / f"{file}.svg").exists()


def test_load_measures_a_second_column(tmp_path):
    result = benchmarks("--tiny", "--load", "costs", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    record = json.loads((tmp_path / "results.json").read_text())
    assert [e["figures"].keys() for e in record["entries"].values()] == [{"quiet", "loaded"}]


def test_unknown_name_is_an_error(tmp_path):
    result = benchmarks("speed", folder=tmp_path)
    assert result.returncode == 2
    assert "unknown benchmark speed: expected decode, listing" in result.stderr
    assert (tmp_path / "README.md").read_text() == PAGE + COMPARISON
