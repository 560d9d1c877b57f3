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


@pytest.fixture
def latest(signed_in):
    """Arguments for job 1, as if its pipeline had succeeded."""
    pipeline = signed_in.world.pipelines[1]
    pipeline.status = "success"
    return ["--ref", pipeline.ref, "--job", signed_in.world.jobs[1].name]


def test_latest_archive_and_file(run, tmp_path, latest):
    out = tmp_path / "artifacts.zip"
    assert run("artifacts", "group/app", *latest, "--output", out).code == 0
    assert "coverage/index.html" in zipfile.ZipFile(out).namelist()
    raw = run("artifacts", "group/app", *latest).out.encode("utf-8", "surrogateescape")
    assert raw == out.read_bytes()
    file = run("artifacts", "group/app", *latest, "--path", "coverage/index.html")
    assert file.out.startswith("<html")


def test_unpack_writes_a_directory(run, tmp_path, latest):
    result = run("artifacts", "group/app", 1, "--unpack", tmp_path / "a")
    assert result.out.startswith(f"unpacked to {tmp_path / 'a'}: ")
    done = json.loads(
        run("artifacts", "group/app", *latest, "--unpack", tmp_path / "b", "--json").out
    )
    assert done["path"] == str(tmp_path / "b")
    assert done["sha256"] in result.out
    for folder in "ab":
        assert (tmp_path / folder / "coverage/index.html").read_text().startswith("<html")


def test_unpack_refuses_a_directory_in_use(run, tmp_path):
    result = run("artifacts", "group/app", 1, "--unpack", tmp_path.parent)
    assert result.code == 1
    assert "new or an empty directory" in result.err


@pytest.mark.parametrize(
    "arguments", [[], [1, "--ref", "main"], ["--ref", "main"], ["--job", "unit"]]
)
def test_job_or_ref_is_required(run, arguments):
    result = run("artifacts", "group/app", *arguments)
    assert result.code == 2
    assert "either a JOB or --ref REF with --job NAME" in result.err


@pytest.mark.parametrize("action", ["--list", "--keep", "--delete"])
def test_ref_is_for_reading(run, action):
    result = run("artifacts", "group/app", "--ref", "main", "--job", "unit", action)
    assert result.code == 2
    assert "expected a JOB" in result.err


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
