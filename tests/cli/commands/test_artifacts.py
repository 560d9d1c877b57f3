"""`artifacts`: the archive, one file, what it holds; keeping and deleting."""

import io
import json
import zipfile

import pytest

from gitlab_jobs_async.simulator import Fault

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
    assert result.code == 2
    assert "new or an empty directory" in result.err


@pytest.fixture
def linked(signed_in):
    """Serve an archive with a link and a thousand bytes for job 1."""
    link = zipfile.ZipInfo("link")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", b"x" * 1000)
        archive.writestr(link, b"a")
    served = {"body": buffer.getvalue(), "content_type": "application/zip"}
    signed_in.faults.add(Fault(path="*/artifacts", status=200, times=None, **served))


@pytest.mark.parametrize(
    ("options", "files"),
    [(["--links", "create"], ["a", "link"]), (["--links=skip", "--max-size", "1kB"], ["a"])],
)
@pytest.mark.usefixtures("linked")
def test_unpack_options(run, tmp_path, options, files):
    target = tmp_path / "new"
    assert run("artifacts", "group/app", 1, "--unpack", target, *options).code == 0
    assert sorted(path.name for path in target.iterdir()) == files
    again = ["artifacts", "group/app", 1, "--unpack", target, *options]
    assert run(*again).code == 2
    assert run(*again, "--overwrite").code == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], 'symbolic link: expected a file or directory, or links "create" or "skip"'),
        (["--links", "create", "--max-size", "1000"], "at most 1000 bytes unpacked, got 1001"),
        (["--links", "create", "--max-files", "1"], "at most 1 entries, got 2"),
    ],
)
@pytest.mark.usefixtures("linked")
def test_unpack_refuses_an_archive(run, tmp_path, options, words):
    result = run("artifacts", "group/app", 1, "--unpack", tmp_path / "new", *options)
    assert result.code == 3
    assert words in result.err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--max-size", "1G"], "--max-size '1G': expected bytes from 1, or a size such as 500MB"),
        (["--max-size", "0"], "--max-size '0': expected bytes from 1"),
        (["--max-files", "0"], "--max-files. Must be >= 1"),
        (["--links", "follow"], "refuse"),
    ],
)
def test_unpack_options_are_checked_first(run, signed_in, tmp_path, options, words):
    result = run("artifacts", "group/app", 1, "--unpack", tmp_path / "new", *options)
    assert result.code == 2
    assert words in result.err
    assert not signed_in.requests


@pytest.mark.parametrize("option", ["--links=skip", "--max-size=1", "--max-files=1", "--overwrite"])
def test_unpack_options_need_unpack(run, signed_in, tmp_path, option):
    result = run("artifacts", "group/app", 1, "--output", tmp_path / "a.zip", option)
    assert result.code == 2
    assert "are for --unpack" in result.err
    assert not signed_in.requests


@pytest.mark.parametrize(
    "action", [["--path", "a"], ["--unpack", "new", "--overwrite"], ["-o", "a.zip"]]
)
def test_recent_pipelines_are_searched(run, signed_in, latest, tmp_path, monkeypatch, action):
    monkeypatch.chdir(tmp_path)
    run("artifacts", "group/app", *latest, *action, "--search-recent")
    run("artifacts", "group/app", *latest, *action)
    asked = [
        any("search_recent" in name for name, _ in request.query) for request in signed_in.requests
    ]
    assert asked == [True, False]


@pytest.mark.parametrize(
    "arguments",
    [[1, "--ref", "main"], ["--ref", "main"], ["--job", "unit"], [1, "--search-recent"]],
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
    lines = run("artifacts", "group/app", 1, "--list", "--columns", "mode,path").lines
    assert "100644\tcoverage/index.html" in lines
    result = run("artifacts", "group/app", 1, "--keep", "--columns", "path")
    assert (result.code, result.err) == (2, "gitlab-jobs: --columns is for --list\n")
    entries = [json.loads(i) for i in run("artifacts", "group/app", 1, "--list", "--json").lines]
    assert {"name", "path", "type", "size", "mode"} == set(entries[0])


def test_keep(run):
    assert run("artifacts", "group/app", 1, "--keep").out.startswith("the artifacts of job 1 are")
    kept = json.loads(run("artifacts", "group/app", 1, "--keep", "--json").out)
    assert kept["artifacts_expire_at"] is None


def test_delete_with_yes(run):
    result = run("artifacts", "group/app", 1, "--delete", "--yes")
    assert result.out == "the artifacts of job 1 are deleted\n"
    assert run("artifacts", "group/app", 1).code == 4
