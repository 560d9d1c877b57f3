"""`artifacts`: the archive, one file, what it holds; keeping and deleting."""

import io
import json
import zipfile

import pytest

pytestmark = pytest.mark.usefixtures("signed_in")


@pytest.fixture
def archive(run, tmp_path):
    out = tmp_path / "artifacts.zip"
    assert run("artifacts", "group/app", 1, "--output", out).code == 0
    return zipfile.ZipFile(io.BytesIO(out.read_bytes()))


def test_the_archive_into_a_file(archive):
    assert sorted(archive.namelist()) == ["coverage/index.html", "reports/junit.xml"]
    assert archive.testzip() is None


def test_the_archive_into_a_pipe(run):
    result = run("artifacts", "group/app", 1)
    raw = result.out.encode("utf-8", "surrogateescape")
    assert zipfile.ZipFile(io.BytesIO(raw)).testzip() is None


def test_one_file(run, tmp_path):
    assert run("artifacts", "group/app", 1, "--path", "coverage/index.html").out.startswith("<html")
    out = tmp_path / "index.html"
    run("artifacts", "group/app", 1, "--path", "coverage/index.html", "--output", out)
    assert out.read_text().startswith("<html")


def test_list_prints_the_entries(run):
    rows = [line.split("\t") for line in run("artifacts", "group/app", 1, "--list").lines]
    assert ["coverage/index.html", "file"] in [row[:2] for row in rows]
    entries = [json.loads(i) for i in run("artifacts", "group/app", 1, "--list", "--json").lines]
    assert {"name", "path", "type", "size", "mode"} == set(entries[0])


def test_keep(run):
    assert run("artifacts", "group/app", 1, "--keep").out.startswith("the artifacts of job 1 are")
    kept = json.loads(run("artifacts", "group/app", 1, "--keep", "--json").out)
    assert kept["artifacts_expire_at"] is None


def test_delete_with_yes(run):
    result = run("artifacts", "group/app", 1, "--delete", "--yes")
    assert result.out == "the artifacts of job 1 are deleted\n"
    assert run("artifacts", "group/app", 1).code == 1
