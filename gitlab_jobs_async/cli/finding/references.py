"""Read the names that people type, and the URLs of web pages that they paste. Pure.

The routes of the pages: config/routes/project.rb, pipelines.rb, repository.rb and
merge_requests.rb of GitLab. All before `/-/` is the project.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from attrs import frozen

from gitlab_jobs_async.cli.config.addresses import Address, usual_as_none
from gitlab_jobs_async.cli.errors import usage_error

_URL: Final = re.compile(r"https?://", re.IGNORECASE)
_SHA: Final = re.compile(r"[0-9a-fA-F]{7,40}|[0-9a-fA-F]{64}")
_ID: Final = re.compile(r"[1-9][0-9]{0,18}")
_FULL_REF: Final = re.compile(r"refs/(?:heads|tags)/(?=.)")
# Around a URL in a sentence or a chat.
_AROUND: Final = "<>\"'`()[]{} \t\r\n"
_AFTER: Final = ".,;:!?"


@frozen
class Latest:
    """The newest pipeline of a branch or tag; None is the checkout's, else the default branch.

    With *may_have_path*, the path of a file may follow the ref, as in the URL of a file.
    """

    ref: str | None = None
    may_have_path: bool = False

    def __str__(self) -> str:
        return "latest" if self.ref is None else self.ref


@frozen
class Commit:
    """The newest pipeline of a commit, whose sha may be abbreviated."""

    sha: str

    def __str__(self) -> str:
        return self.sha


@frozen
class MergeRequest:
    """The newest pipeline of a merge request, by the number after its exclamation mark."""

    iid: int

    def __str__(self) -> str:
        return f"!{self.iid}"


PipelineName = int | Latest | Commit | MergeRequest
JobName = int | str


@frozen
class WebPage:
    """A page of GitLab: of a project, or of a pipeline or job in it.

    *ref* is the branch or tag that the page is about, with the path of a file where a URL does not
    tell the two apart.
    """

    address: Address
    pipeline: PipelineName | None = None
    job: JobName | None = None

    @property
    def ref(self) -> str | None:
        """The branch or tag of the page."""
        return self.pipeline.ref if isinstance(self.pipeline, Latest) else None


def is_url(text: str) -> bool:
    """Return whether *text* is a URL of a web page."""
    return bool(_URL.match(text.strip(_AROUND)))


def is_id(text: str) -> bool:
    """Return whether *text* is the number of a project, pipeline or job."""
    return bool(_ID.fullmatch(text))


def parse_url(text: str) -> WebPage:
    """Return the page of a pasted URL, without its login.

    Raises:
        CommandError: it is invalid, or names no project.
    """
    url = text.strip(_AROUND).rstrip(_AROUND + _AFTER)
    shown = _URL.match(url)
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode().lower()
        port = usual_as_none(parts.scheme.lower(), parts.port)
    except ValueError:
        host, port = "", None
    if not shown or not host:
        raise usage_error("URL (not shown): expected one such as https://gitlab.com/group/app")
    front, has_tail, tail = parts.path.partition("/-/")
    folder = unquote(front).strip("/").rstrip(_AFTER).removesuffix("/-").removesuffix(".git")
    source = f"{parts.scheme.lower()}://{host}" + ("" if port is None else f":{port}")
    source = f"{source}/{folder}"
    if folder.partition("/")[0] == "groups" and (has_tail or "/" in folder):
        group = folder.partition("/")[2]
        raise usage_error(f"{source}: expected the URL of a project; for a group, --group {group}")
    if "/" not in folder or not folder.isprintable():
        raise usage_error(f"{source}: expected the URL of a project, pipeline or job")
    address = Address(host, port, folder, source=source)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    segments = [part for part in unquote(tail).rstrip(_AFTER).split("/") if part]
    pipeline, job = _page(segments, query)
    if pipeline is None and job is None:
        _check_number(segments, source)
    return WebPage(address, pipeline, job)


def _page(
    segments: Sequence[str], query: Mapping[str, str]
) -> tuple[PipelineName | None, JobName | None]:
    """Return the pipeline and the job of a page below `/-/`."""
    ref = query.get("ref")
    match segments:
        case ["jobs" | "builds", number, *_] if is_id(number):
            return None, int(number)
        case ["jobs", "artifacts", *parts, "download" | "browse" | "raw" | "file"] if parts:
            return Latest("/".join(parts)), query.get("job")
        case ["pipelines", *parts, "latest"]:
            return Latest("/".join(parts) or ref), None
        case ["tree" | "blob" | "commits" | "raw" | "blame", *parts] if parts:
            return Latest(_without_prefix("/".join(parts)), may_have_path=True), None
        case [kind, number, *_] if (found := _numbered(kind, number)) is not None:
            return found, None
    return None if not ref else Latest(_without_prefix(ref)), None


def _check_number(segments: Sequence[str], source: str) -> None:
    """Raise for a mistyped number, in place of which the newest pipeline would be taken."""
    match segments:
        case ["jobs" | "builds" as kind, number, *_] if number != "artifacts":
            pass
        case ["pipelines" | "merge_requests" as kind, number, *_] if number[0].isdigit():
            pass
        case _:
            return
    raise usage_error(f"{source}/-/{kind}/{number}: expected a number after {kind}/")


def _numbered(kind: str, text: str) -> PipelineName | None:
    if kind == "pipelines" and is_id(text):
        return int(text)
    if kind == "merge_requests" and is_id(text):
        return MergeRequest(int(text))
    return Commit(text.lower()) if kind == "commit" and _SHA.fullmatch(text) else None


def parse_pipeline(text: str) -> PipelineName:
    """Return the pipeline of an id, `latest`, `!12`, a sha, or the name of a branch or tag.

    A branch whose name reads as one of the others is `refs/heads/NAME`.

    Raises:
        CommandError: *text* is empty, or begins with a dash.
    """
    name = text.strip()
    if is_id(name):
        return int(name)
    if name == "latest":
        return Latest()
    if name.startswith("!") and is_id(name[1:]):
        return MergeRequest(int(name[1:]))
    if _SHA.fullmatch(name):
        return Commit(name.lower())
    if not name or name.startswith(("-", "!")) or not name.isprintable() or name.isdigit():
        raise usage_error(
            f"--pipeline {text!r}: expected an id, latest, a branch, a tag, a sha, !12 or a URL"
        )
    return Latest(_without_prefix(name))


def _without_prefix(ref: str) -> str:
    return _FULL_REF.sub("", ref, count=1)


def parse_job(text: str) -> JobName:
    """Return the id or the name of a job; digits are an id.

    Raises:
        CommandError: *text* is empty, begins with a dash, or is a number that no id has.
    """
    if text.isascii() and text.isdigit():
        if is_id(text):
            return int(text)
    elif text.strip() and text.isprintable() and not text.startswith("-"):
        return text
    # A leading dash is mostly a mistyped option.
    raise usage_error(f"job {text!r}: expected an id, a URL, or a name without a leading dash")


def pipeline_of_page(page: WebPage) -> PipelineName:
    """Return the pipeline that a URL names.

    Raises:
        CommandError: it names none.
    """
    if page.pipeline is None:
        raise usage_error(f"{page.address.source}: expected the URL of a pipeline")
    return page.pipeline
