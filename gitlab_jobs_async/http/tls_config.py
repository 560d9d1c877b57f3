"""TLS settings of the caller, or else of the environment.

Variables of CI jobs: https://docs.gitlab.com/ci/variables/predefined_variables/.
"""

from collections.abc import Mapping
from typing import Protocol

from attrs import field, frozen

from gitlab_jobs_async.api.environment import job_server
from gitlab_jobs_async.api.urls import ServerUrl


class _PathLike(Protocol):
    def __fspath__(self) -> str: ...


def _path(value: str | _PathLike | None) -> str | None:
    if value is None:
        return None
    path = value.__fspath__() if hasattr(value, "__fspath__") else value
    if not isinstance(path, str):
        raise TypeError(f"expected a path as a string or os.PathLike, not {type(value).__name__}")
    if not path or "\0" in path:
        raise ValueError(f"invalid path {path!r}: expected the path of a file or directory")
    return path


@frozen(kw_only=True)
class TLSConfig:
    """TLS settings: `GitLab(ssl=TLSConfig(ca_file="ca.pem"))`.

    Attributes:
        ca_file, ca_dir: PEM certificates of authorities or servers to trust in addition to the
            system's store. `None` reads the environment (`SSL_CERT_FILE`, `SSL_CERT_DIR`,
            `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`, `CI_SERVER_TLS_CA_FILE`).
        client_cert, client_key: PEM files; one file may hold both. The certificate is shown to the
            origin of `url` only. `None` reads `CI_SERVER_TLS_CERT_FILE` and `_KEY_FILE`.
        client_key_password: password of an encrypted key.
        verify: with `False` any certificate is accepted: an attacker can read the token.
        system_store: with `False` only *ca_file* and *ca_dir* are trusted.
        sources: names of the fields in errors, such as the option that set them.

    Raises:
        ValueError, TypeError: a setting is invalid; the message names it.
    """

    ca_file: str | None = field(default=None, converter=_path)
    ca_dir: str | None = field(default=None, converter=_path)
    client_cert: str | None = field(default=None, converter=_path)
    client_key: str | None = field(default=None, converter=_path)
    client_key_password: str | None = field(default=None, repr=False)
    verify: bool = True
    system_store: bool = True
    sources: Mapping[str, str] = field(factory=dict[str, str], repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        for name, value in (("verify", self.verify), ("system_store", self.system_store)):
            if not isinstance(value, bool):
                raise TypeError(
                    f"{name} must be True or False, not a {type(value).__name__}; "
                    "name certificates to trust by ca_file"
                )
        if self.client_cert is None:
            for name in ("client_key", "client_key_password"):
                if getattr(self, name) is not None:
                    cert = self.source("client_cert")
                    raise ValueError(f"{self.source(name)}: expected a {cert} with it")
        if not self.system_store and self.ca_file is None and self.ca_dir is None:
            raise ValueError("system_store=False: expected a ca_file or ca_dir to trust instead")

    def source(self, name: str) -> str:
        """Return the name of the field *name* in errors."""
        return self.sources.get(name, name)

    def named(self, name: str) -> list["NamedPath"]:
        """Return the path in the field *name*, if set."""
        path = getattr(self, name)
        return [] if path is None else [NamedPath(path, self.source(name))]


@frozen(eq=False, repr=False)
class NamedPath:
    """A path and its source: a variable, option or setting."""

    path: str
    source: str


@frozen(kw_only=True)
class TLSPlan:
    """Certificates and options of a TLS context."""

    verify: bool = True
    system_store: bool = True
    authorities: tuple[NamedPath, ...] = ()
    certificate: NamedPath | None = None
    key: NamedPath | None = None
    password: str | None = field(default=None, repr=False)


def plan_tls(config: TLSConfig, environ: Mapping[str, str], server: ServerUrl) -> TLSPlan:
    """Return the plan of *config*, completed from the environment.

    Raises:
        ValueError: a variable lacks another one.
    """
    own = [*config.named("ca_file"), *config.named("ca_dir")]
    authorities, system_store = own, config.system_store
    if not own:
        authorities, system_store = _trusted(environ, server)
    certificate, key = config.named("client_cert"), config.named("client_key")
    if not certificate:
        certificate, key = _client(environ, server)
    return TLSPlan(
        verify=config.verify,
        system_store=system_store,
        authorities=tuple(authorities),
        certificate=next(iter(certificate), None),
        key=next(iter(key), None),
        password=config.client_key_password,
    )


def _trusted(environ: Mapping[str, str], server: ServerUrl) -> tuple[list[NamedPath], bool]:
    # Each variable works as in its own tool: these two replace parts of the store (OpenSSL), a
    # bundle replaces all of it (requests, curl), and GitLab Runner's file is added to it.
    store = _set(environ, "SSL_CERT_FILE") + _set(environ, "SSL_CERT_DIR")
    bundle = _set(environ, "REQUESTS_CA_BUNDLE") or _set(environ, "CURL_CA_BUNDLE")
    return [*store, *bundle, *_of_job(environ, server, "CI_SERVER_TLS_CA_FILE")], not bundle


def _client(
    environ: Mapping[str, str], server: ServerUrl
) -> tuple[list[NamedPath], list[NamedPath]]:
    certificate = _of_job(environ, server, "CI_SERVER_TLS_CERT_FILE")
    key = _of_job(environ, server, "CI_SERVER_TLS_KEY_FILE")
    if key and not certificate:
        raise ValueError("CI_SERVER_TLS_KEY_FILE: expected CI_SERVER_TLS_CERT_FILE with it")
    return certificate, key


def _of_job(environ: Mapping[str, str], server: ServerUrl, variable: str) -> list[NamedPath]:
    # GitLab Runner sets these variables for the server of the job only.
    found = _set(environ, variable)
    named = job_server(environ) if found else None
    return found if named is None or named.server == server else []


def _set(environ: Mapping[str, str], variable: str) -> list[NamedPath]:
    value = environ.get(variable, "").strip()
    return [NamedPath(value, variable)] if value else []
