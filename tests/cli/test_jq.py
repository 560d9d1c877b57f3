"""The examples with jq in the guide, run against the demo world."""

import re
import shlex
import shutil
import subprocess

import pytest

from tests.support.doc_blocks import GUIDE
from tests.support.doc_runs import demo_server

CELL = re.compile(r"`gitlab-jobs (list [^`]*?) \\\| (jq [^`]*)`")
EXAMPLES = CELL.findall((GUIDE / "command-line.md").read_text())


@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq")
def test_examples_of_the_guide_print_lines(run, monkeypatch, tmp_path):
    assert len(EXAMPLES) == 4
    with demo_server(monkeypatch, tmp_path):
        for command, filters in EXAMPLES:
            listed = run(*shlex.split(command))
            line = filters.replace("\\|", "|")
            done = subprocess.run(
                ["sh", "-c", line], check=False, input=listed.out, text=True, capture_output=True
            )
            assert (done.returncode, done.stderr) == (0, ""), line
            assert done.stdout, line
