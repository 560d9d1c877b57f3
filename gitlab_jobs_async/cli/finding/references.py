"""Read the names that people type, and the URLs of web pages that they paste. Pure.

The routes of the pages: config/routes/project.rb, pipelines.rb, repository.rb and
merge_requests.rb of GitLab.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import SplitResult, parse_qs, urlsplit

from attrs import evolve, frozen

from gitlab_jobs_async.cli.config.addresses import Address, usual_as_none
from gitlab_jobs_async.cli.errors import usage_error
from gitlab_jobs_async.cli.finding.routes import SHA, Route, divide, is_id

_URL: Final = re.compile(r"https?://", re.IGNORECASE)
_BARE: Final = re.compile(r"[\w-]+(?:\.[\w-]+)*(?:\.[\w-]+|:[0-9]+)/[^?#]*/-/")
_LINE: Final = re.compile(r"L([1-9][0-9]{0,8})(?:-.*)?")
_FULL_REF: Final = re.compile(r"refs/(?:heads|tags)/(?=.)")
# Around a URL in a sentence or a chat.
_AROUND: Final = "<>\"'`()[]{} \t\r\n"
_AFTER: Final = ".,;:!?"
_ON_ARTIFACTS: Final = frozenset({"browse", "download", "file", "raw"})
_OF_FILES: Final = frozenset({"blame", "blob", "commits", "edit", "find_file", "raw", "tree"})


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
    tell the two apart. *line* is that of the job's log.
    """

    address: Address
    pipeline: PipelineName | None = None
    job: JobName | None = None
    line: int | None = None

    @property
    def ref(self) -> str | None:
        """The branch or tag of the page."""
        return self.pipeline.ref if isinstance(self.pipeline, Latest) else None


def is_url(text: str) -> bool:
    """Return whether *text* is a URL of a web page, which may lack its scheme before `/-/`."""
    return bool(_URL.match(text.strip(_AROUND)) or _BARE.match(text.strip(_AROUND)))


def parse_url(text: str) -> WebPage:
    """Return the page of a pasted URL, without its login.

    Raises:
        CommandError: it is invalid, or names no project.
    """
    url = _Url.parse(text)
    route = url.route
    folder = route.folder
    if route.is_group:
        group = folder.removeprefix(f"{route.api_root}/")
        raise usage_error(
            f"{url.server}/{folder}: expected the URL of a project; for a group, --group {group}"
        )
    if not ("/" in folder or is_id(folder)) or not folder.isprintable():
        expected = "expected the URL of a project, pipeline or job"
        # The page of a group is that of its path, as that of a project is.
        group = f"; for a group, --group {folder}" if folder and not route.page else ""
        raise usage_error(f"{url.server}/{folder}: {expected}{group}")
    address = url.address()
    query = {name: values[-1] for name, values in parse_qs(url.parts.query).items()}
    pipeline, job = _page(route.page, query)
    if pipeline is None and job is None:
        _check_number(route.page, address.source)
    line = _LINE.fullmatch(url.parts.fragment)
    return WebPage(address, pipeline, job, int(line[1]) if line and job is not None else None)


def parse_group_url(text: str) -> Address:
    """Return the address of the group of a pasted URL, without its login.

    Raises:
        CommandError: it is invalid, or the page is not that of a group.
    """
    url = _Url.parse(text)
    # The page of a group is that of its path, as that of a project is.
    is_group = url.route.is_group or not url.route.page
    if not is_group or not url.route.folder or not url.route.folder.isprintable():
        raise usage_error(f"{url.server}/{url.route.folder}: expected the URL of a group")
    return url.address()


@frozen(repr=False)
class _Url:
    """A URL in parts; *server* is its beginning without the login."""

    host: str
    port: int | None
    server: str
    parts: SplitResult
    route: Route

    @classmethod
    def parse(cls, text: str) -> "_Url":
        url = text.strip(_AROUND).rstrip(_AROUND + _AFTER)
        # Browsers may copy an address without its scheme.
        url = url if _URL.match(url) else f"https://{url}"
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").encode("idna").decode().lower()
            port = usual_as_none(parts.scheme.lower(), parts.port)
        except ValueError:
            host = ""
        if not host:
            raise usage_error("URL (not shown): expected one such as https://gitlab.com/group/app")
        server = f"{parts.scheme.lower()}://{host}" + ("" if port is None else f":{port}")
        route = divide(parts.path.rstrip(_AFTER))
        folder = route.folder.rstrip(_AFTER).removesuffix(".git")
        return cls(host, port, server, parts, evolve(route, folder=folder))

    def address(self) -> Address:
        """Return the address of the project or group."""
        folder = self.route.folder
        source = f"{self.server}/{'projects/' if is_id(folder) else ''}{folder}"
        return Address(self.host, self.port, folder, source=source, root=self.route.api_root)


def _page(
    segments: Sequence[str], query: Mapping[str, str]
) -> tuple[PipelineName | None, JobName | None]:
    """Return the pipeline and the job of a page below the project."""
    match segments:
        case ["jobs" | "builds", number, *_] if is_id(number):
            return None, int(number)
        case ["jobs" | "builds", "artifacts", *parts, action] if parts and action in _ON_ARTIFACTS:
            return Latest("/".join(parts)), query.get("job")
        case ["pipelines" | "merge_requests" | "commit" as kind, number, *_] if found := _numbered(
            kind, number
        ):
            return found, None
        case ["repository", "commits", sha, *_] if SHA.fullmatch(sha):
            return Commit(sha.lower()), None
    return _newest(segments, query.get("ref") or query.get("branch_name")), None


def _newest(segments: Sequence[str], ref: str | None) -> Latest | None:
    """Return the newest pipeline of the ref of a page; *ref* is that of its query."""
    match segments:
        case ["pipelines", *parts, "latest"]:
            return Latest("/".join(parts) or ref)
        case ["repository", "branches" | "tags", *parts] if parts:
            return Latest("/".join(parts))
        case ["releases" | "tags", name] if name != "new":
            return Latest(name)
        case ["badges", *parts, badge] if parts and badge.endswith(".svg"):
            return Latest("/".join(parts))
        case [kind, *parts] if kind in _OF_FILES and parts:
            return Latest(_without_prefix("/".join(parts)), may_have_path=True)
    return None if not ref else Latest(_without_prefix(ref))


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
    return Commit(text.lower()) if kind == "commit" and SHA.fullmatch(text) else None


def parse_pipeline(text: str) -> PipelineName:
    """Return the pipeline of an id, `latest`, `!12`, a sha, or the name of a branch or tag.

    A branch whose name reads as one of the others is `refs/heads/NAME`.

    Raises:
        CommandError: *text* is empty, or begins with a dash.
    """
    name = text.strip()
    if is_id(name.removeprefix("#")):
        return int(name.removeprefix("#"))
    if name == "latest":
        return Latest()
    if name.startswith("!") and is_id(name[1:]):
        return MergeRequest(int(name[1:]))
    if SHA.fullmatch(name):
        return Commit(name.lower())
    if not name or name.startswith(("-", "!")) or not name.isprintable() or name.isdigit():
        raise usage_error(
            f"--pipeline {text!r}: expected an id, latest, a branch, a tag, a sha, !12 or a URL"
        )
    return Latest(_without_prefix(name))


def _without_prefix(ref: str) -> str:
    return _FULL_REF.sub("", ref, count=1)


def parse_job(text: str) -> JobName:
    """Return the id or the name of a job; digits are an id, also after a `#` as in GitLab's pages.

    Raises:
        CommandError: *text* is empty, begins with a dash, or is a number that no id has.
    """
    number = text.removeprefix("#")
    if number.isascii() and number.isdigit():
        if is_id(number):
            return int(number)
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
