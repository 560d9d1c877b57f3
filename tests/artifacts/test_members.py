"""Paths that the entries of an archive are written to, and archives that are refused."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import ArchiveError
from gitlab_jobs_async.artifacts.members import Member, UnpackLimits, plan_outputs

LIMITS = UnpackLimits(max_size=1000, max_files=10)
END = 10_000
FILE, FOLDER, LINK = 0o100644, 0o040755, 0o120777


def member(name, **fields):
    plain = Member(name=name, size=5, packed=5, offset=0, flags=0, method=0, mode=FILE)
    if name.endswith("/"):
        plain = evolve(plain, size=0, packed=0, mode=FOLDER)
    return evolve(plain, **fields)


def in_order(members):
    """Return *members* one behind the other."""
    return [evolve(entry, offset=100 * number) for number, entry in enumerate(members)]


def plan(*members, limits=LIMITS, is_windows=False):
    return plan_outputs(in_order(members), limits, end=END, is_windows=is_windows)


def paths(outputs):
    return ["/".join(output.parts) for output in outputs]


def test_files_and_directories_are_planned():
    outputs = plan(member("a/"), member("a/b.txt"), member("./c//d", mode=0o100755), member("./"))
    assert paths(outputs) == ["a", "a/b.txt", "c/d"]
    assert [output.kind for output in outputs] == ["directory", "file", "file"]
    assert [output.is_executable for output in outputs][1:] == [False, True]
    assert [output.index for output in outputs] == [0, 1, 2]


def test_entry_without_a_mode_is_a_file():
    assert paths(plan(member("a", mode=0))) == ["a"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../a", "leaves the directory"),
        ("a/../../b", "leaves the directory"),
        ("a/..", "leaves the directory"),
        ("/etc/passwd", "absolute"),
        ("//host/share", "absolute"),
        ("C:/a", "absolute"),
        ("c:a", "absolute"),
        ("./c:a", "absolute"),
        ("a\\b", "backslash"),
        ("..\\a", "backslash"),
        ("a\0.txt", "NUL"),
        (".", "no file name"),
        ("", "no file name"),
        ("a/" * 101 + "b", "levels deep"),
        ("a" * 256, "more than 255 bytes"),
        ("ä" * 128, "more than 255 bytes"),
    ],
)
def test_unsafe_name_is_refused(name, reason):
    with pytest.raises(ArchiveError, match=reason) as refused:
        plan(member("ok"), member(name))
    assert refused.value.entry == name


@pytest.mark.parametrize(
    "name", ["con", "a/NUL.txt", "COM1", "a.", "a ", "ab:c", "b?", "lpt9 .x", "x\x01", "aux.tar.gz"]
)
def test_reserved_name_is_refused_on_windows(name):
    assert paths(plan(member(name))) == [name]
    with pytest.raises(ArchiveError, match="Windows"):
        plan(member(name), is_windows=True)


@pytest.mark.parametrize("name", ["console", "com10", "a.b", ".a", "nulls/x", "ä ö.txt"])
def test_usual_name_is_allowed_on_windows(name):
    assert paths(plan(member(name), is_windows=True)) == [name]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"mode": LINK}, "symbolic link"),
        ({"mode": 0o020644}, "special file"),
        ({"mode": 0o060644}, "special file"),
        ({"mode": 0o010644}, "special file"),
        ({"mode": 0o140644}, "special file"),
        ({"mode": FOLDER}, "special file"),
        ({"flags": 0x1}, "encrypted"),
        ({"flags": 0x40}, "encrypted"),
        ({"flags": 0x2000}, "encrypted"),
        ({"method": 12}, "compression method 12"),
        ({"size": 6}, "stored in 5 of 6"),
        ({"packed": END, "size": END}, "outside of the archive"),
    ],
)
def test_unsafe_entry_is_refused(fields, reason):
    with pytest.raises(ArchiveError, match=reason) as refused:
        plan(member("a", **fields))
    assert refused.value.entry == "a"


def test_directory_with_content_is_refused():
    with pytest.raises(ArchiveError, match="directory of 5 bytes"):
        plan(member("a/", size=5, packed=5))
    with pytest.raises(ArchiveError, match="special file"):
        plan(member("a/", mode=FILE))


def test_links_are_left_out_if_asked():
    limits = evolve(LIMITS, links="skip")
    assert paths(plan(member("a", mode=LINK), member("b"), limits=limits)) == ["b"]
    with pytest.raises(ArchiveError, match="leaves the directory"):
        plan(member("../a", mode=LINK), limits=limits)
    with pytest.raises(ArchiveError, match="special file"):
        plan(member("a", mode=0o020644), limits=limits)


def test_links_are_planned_if_asked():
    limits = evolve(LIMITS, links="create")
    (link,) = plan(member("a", mode=LINK), limits=limits)
    assert (link.kind, link.size) == ("link", 5)
    with pytest.raises(ArchiveError, match="collides"):
        plan(member("a", mode=LINK), member("a/b"), limits=limits)
    with pytest.raises(ArchiveError, match="path of 4097 bytes: expected at most 4096"):
        plan(member("a", mode=LINK, size=4097, packed=4097), limits=limits)
    with pytest.raises(ArchiveError, match="special file"):
        plan(member("a/", mode=LINK), limits=limits)


@pytest.mark.parametrize("links", ["Create", "", None, True])
def test_unknown_links_are_refused(links):
    with pytest.raises(ValueError, match=r"links must be one of .*'refuse', 'skip', 'create'"):
        UnpackLimits(1, 1, links)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a", "a"),
        ("a", "A"),
        ("straße", "STRASSE"),
        ("é", "e\u0301"),
        ("a", "a/b"),
        ("a/b", "a"),
        ("a/b", "A/c"),
        ("a/", "A/"),
        ("a/", "a"),
        ("a", "a."),
        ("a", "./a"),
    ],
)
def test_colliding_names_are_refused(first, second):
    with pytest.raises(ArchiveError, match="collides with"):
        plan(member(first), member(second))


def test_directory_may_repeat():
    assert paths(plan(member("a/b"), member("a/"), member("a/"))) == ["a/b", "a", "a"]


@pytest.mark.parametrize("offsets", [(0, 34), (34, 0), (0, 0)])
def test_overlapping_entries_are_refused(offsets):
    entries = [member(name, offset=at) for name, at in zip("ab", offsets, strict=True)]
    with pytest.raises(ArchiveError, match="overlaps"):
        plan_outputs(entries, LIMITS, end=END, is_windows=False)


def test_entries_may_be_listed_in_another_order():
    entries = [member("a", offset=100), member("b")]
    assert paths(plan_outputs(entries, LIMITS, end=END, is_windows=False)) == ["a", "b"]


def test_bytes_in_front_are_refused():
    """Two archives in one file, or one hidden in a comment, are read differently by programs."""
    for entries in ([member("a", offset=7)], []):
        with pytest.raises(ArchiveError, match=r"has \d+ bytes before its first entry"):
            plan_outputs(entries, LIMITS, end=END, is_windows=False)
    assert plan_outputs([], LIMITS, end=0, is_windows=False) == []


def test_adjacent_entries_are_allowed():
    entries = [member("a"), member("b", offset=35)]
    assert len(plan_outputs(entries, LIMITS, end=70, is_windows=False)) == 2


def test_size_and_count_are_limited():
    big = member("a", size=600, packed=1, method=8)
    assert plan(big)
    with pytest.raises(ArchiveError, match="at most 1000 bytes unpacked, got 1200"):
        plan(big, evolve(big, name="b"))
    with pytest.raises(ArchiveError, match="at most 10 entries, got 11"):
        plan(*(member(f"{n}") for n in range(11)))
    with pytest.raises(ArchiveError, match="at most 10 files and directories"):
        plan(member("/".join("abcdefghijk")))


@pytest.mark.parametrize("name", ["max_size", "max_files"])
@pytest.mark.parametrize("value", [0, -1, True, 1.5, "9", None])
def test_invalid_limit_is_refused(name, value):
    with pytest.raises((ValueError, TypeError), match=f"{name} must be"):
        UnpackLimits(**{"max_size": 1, "max_files": 1} | {name: value})


names = st.text(st.sampled_from("aAbß./\\:\0 é\u0301"), max_size=8)
modes = st.sampled_from([0, FILE, FOLDER, LINK, 0o020644])


@given(st.lists(st.builds(member, names, mode=modes), max_size=6), st.booleans(), st.booleans())
def test_planned_paths_are_inside_and_distinct(members, is_windows, has_links):
    limits = evolve(LIMITS, links="create" if has_links else "refuse")
    try:
        outputs = plan(*members, is_windows=is_windows, limits=limits)
    except ArchiveError:
        return
    files = [output.parts for output in outputs if output.kind != "directory"]
    folded = ["/".join(parts).casefold() for parts in files]
    assert len(set(folded)) == len(files)
    for output in outputs:
        assert output.parts
        for part in output.parts:
            assert part not in {"", ".", ".."}
            assert not {"/", "\\", "\0"} & set(part)
        types = {"file": {0, 0o100000}, "directory": {0, 0o040000}, "link": {0o120000}}
        assert members[output.index].mode & 0o170000 in types[output.kind]
        assert has_links or output.kind != "link"
    inner = {parts[:depth] for parts in files for depth in range(1, len(parts))}
    assert not inner & set(files)
