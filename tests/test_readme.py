"""Check the first screen of the README; `test_guide.py` runs its code blocks."""

from tests.support.doc_blocks import README, ROOT, blocks_of
from tests.support.doc_runs import demo_server, run_script

BLOCKS = blocks_of(README)
DEMO = "python3 -m venv .venv && .venv/bin/pip install '.[cli]' && .venv/bin/gitlab-jobs demo"
TESTS = "python3 -m venv .venv && .venv/bin/pip install -e '.[cli,dev]' && .venv/bin/pytest"


def test_readme_has_at_most_200_lines():
    assert len(README.read_text().splitlines()) <= 200


def test_first_screen_has_both_commands():
    assert [block.code.strip() for block in BLOCKS if block.language == "sh"] == [DEMO, TESTS]
    assert all(block.line < 40 for block in BLOCKS if block.language == "sh")


def test_gate_runs_both_commands():
    gate = (ROOT / ".ci" / "run").read_text()
    assert DEMO in gate
    assert TESTS in gate


def test_first_example_lists_failed_jobs(tmp_path, monkeypatch, capsys):
    with demo_server(monkeypatch, tmp_path) as server:
        run_script(next(block for block in BLOCKS if block.is_script), server, monkeypatch)
    assert "shop/payments 200 contract script_failure http" in capsys.readouterr().out
