"""Division of arguments into the project, the pipeline and the jobs."""

import pytest

from gitlab_jobs_async.cli.errors import CommandError
from gitlab_jobs_async.cli.finding.references import Latest, MergeRequest, WebPage
from gitlab_jobs_async.cli.finding.selection import Selection, select

HOST = "https://gitlab.example.com"
JOB = f"{HOST}/group/app/-/jobs/4"
PIPELINE = f"{HOST}/group/app/-/pipelines/7"


def chosen(*words, project=None, pipeline=None, takes=False):
    """Return a selection with the folder in place of a page."""
    found = select(words, project, pipeline, takes_project=takes)
    name = found.project
    return (
        name.address.folder if isinstance(name, WebPage) else name, found.pipeline, *found.jobs,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "options", "expected"),
    [
        ([], {}, (None, None)),
        # One is a job, several begin with the project.
        (["4"], {}, (None, None, 4)),
        (["lint"], {}, (None, None, "lint")),
        (["build/linux"], {}, (None, None, "build/linux")),
        (["17", "4"], {}, (17, None, 4)),
        (["group/app", "4", "lint"], {}, ("group/app", None, 4, "lint")),
        ([".", "4", "lint"], {}, (None, None, 4, "lint")),
        (["./", "4"], {}, (None, None, 4)),
        # A project has a slash.
        (["lint", "test"], {}, (None, None, "lint", "test")),
        # A project that is named.
        (["4", "5"], {"project": "17"}, (17, None, 4, 5)),
        (["group/app", "4"], {"project": "."}, (None, None, "group/app", 4)),
        (["lint"], {"project": f"{HOST}/group/app"}, ("group/app", None, "lint")),
        # With a pipeline one word is the project where the pipeline is enough.
        (["group/app"], {"pipeline": "7", "takes": True}, ("group/app", 7)),
        (["17"], {"pipeline": "main", "takes": True}, (17, Latest("main"))),
        (["."], {"pipeline": "latest", "takes": True}, (None, Latest())),
        (["lint"], {"pipeline": "7", "takes": True}, (None, 7, "lint")),
        (["a/b"], {"pipeline": "!12"}, (None, MergeRequest(12), "a/b")),
        (["17", "lint"], {"pipeline": "7", "takes": True}, (17, 7, "lint")),
        # URLs have their project.
        ([JOB], {}, ("group/app", None, 4)),
        ([JOB, "lint"], {}, ("group/app", None, 4, "lint")),
        ([JOB, f"{JOB}5", JOB], {}, ("group/app", None, 4, 45)),
        ([PIPELINE], {}, ("group/app", 7)),
        ([PIPELINE, "lint", "test"], {}, ("group/app", 7, "lint", "test")),
        (["lint"], {"pipeline": PIPELINE}, ("group/app", 7, "lint")),
        ([f"{HOST}/group/app", "lint"], {}, ("group/app", None, "lint")),
        (["group/app", JOB], {}, ("group/app", None, 4)),
        (["app/group/app", f"{HOST}/x/app/group/app/-/jobs/4"], {}, ("x/app/group/app", None, 4)),
        ([PIPELINE], {"pipeline": "7"}, ("group/app", 7)),
    ],
)
def test_words_are_divided(words, options, expected):
    assert chosen(*words, **options) == expected


@pytest.mark.parametrize(
    ("words", "options", "message"),
    [
        ([JOB, f"{HOST}/group/api/-/jobs/5"], {}, "expected URLs of one project"),
        ([JOB, "https://other.example.com/group/app/-/jobs/5"], {}, "URLs of one project"),
        ([JOB], {"project": "group/api"}, "expected a URL of project group/api"),
        (["17", JOB], {}, "expected a URL of project 17"),
        ([JOB, f"{HOST}/api/v4/projects/12/jobs/5"], {}, "group/app and .*/projects/12$"),
        ([PIPELINE], {"pipeline": "8"}, "expected one pipeline, not 7 and 8"),
        (["lint"], {"pipeline": JOB}, "expected the URL of a pipeline"),
        (["-x", "4"], {}, "leading dash"),
        (["17", "4"], {"pipeline": "8"}, "--pipeline: expected the name of a JOB with it"),
        (["group/app", "0"], {}, "job '0'"),
    ],
)
def test_contradiction_is_refused(words, options, message):
    with pytest.raises(CommandError, match=message):
        chosen(*words, **options)


def test_reading_of_doubtful_words_is_kept():
    assert select(["a/b", "4"]).reading == "a/b is read as the project; as a job it is: . a/b 4"
    assert select(["a/b"], None, "7", takes_project=True).reading.endswith("it is: . a/b")
    clear = [select([".", "4"]), select(["./", "4"]), select(["4"]), select(["4"], "a/b"),
        select(["17"], None, "main", takes_project=True)]  # fmt: skip
    assert {one.reading for one in clear} == {""}


def test_selection_is_empty_by_default():
    assert select([]) == Selection()
