"""TLS contexts from files; an error names the file and its source."""

import logging
import os
import re
import ssl
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import NoReturn

from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.http.tls_config import NamedPath, TLSConfig, TLSPlan, plan_tls

_log = logging.getLogger("gitlab_jobs_async")

# Names by which OpenSSL finds certificates in a directory.
_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")

_PEM_SUFFIXES = frozenset({".cer", ".crt", ".pem"})


class TLSContexts:
    """TLS contexts for the server's origin, and for hosts that it redirects to.

    Both trust the same certificates; the client certificate is shown to the origin only. `True`
    stands for the default of the session's connector.
    """

    def __init__(
        self, server: ServerUrl, given: ssl.SSLContext | None, plan: TLSPlan | None
    ) -> None:
        self._server = server
        self._given = given
        self._plan = plan
        if server.origin.startswith("https:"):
            # An unreadable file is reported before any request.
            _ = self.own

    @property
    def is_left_to_session(self) -> bool:
        """Whether the caller's session decides."""
        return self._given is None and self._plan is None

    def of(self, url: str) -> ssl.SSLContext | bool:
        """Return the context for a connection to *url*."""
        if not url.startswith("https:"):
            return True
        return self.own if self._server.is_own(url) else self.elsewhere

    @cached_property
    def own(self) -> ssl.SSLContext | bool:
        """Context for the server's origin."""
        if self._given is not None or self._plan is None:
            return self._given or True
        if self._plan == TLSPlan():
            return True  # the default of aiohttp
        return _context(self._plan)

    @cached_property
    def elsewhere(self) -> ssl.SSLContext | bool:
        """Context for other hosts: the same trust, without a client certificate."""
        if self._given is not None:
            return without_client_certificate(self._given)
        if self._plan is None or self._plan.certificate is None:
            return self.own
        return _context(self._plan, shows_certificate=False)


def tls_contexts(
    server: ServerUrl,
    environ: Mapping[str, str],
    *,
    given: ssl.SSLContext | TLSConfig | bool | None,
    has_session: bool,
) -> TLSContexts:
    """Return the contexts for `GitLab(ssl=...)`; `None` leaves them to the caller's session.

    Raises:
        ValueError: a file is missing or cannot be used.
        TypeError: *given* has another type.
    """
    try:
        return _contexts(server, environ, given, has_session=has_session)
    except TypeError as error:
        failure: Exception = TypeError(str(error))
    except ValueError as error:
        failure = ValueError(str(error))
    # The environment holds tokens, and error reporters collect the locals of frames.
    del environ
    raise failure


def _contexts(
    server: ServerUrl, environ: Mapping[str, str], given: object, *, has_session: bool
) -> TLSContexts:
    if isinstance(given, ssl.SSLContext):
        if given.verify_mode is ssl.CERT_NONE:
            _warn(server)
        return TLSContexts(server, given, None)
    if given is None and has_session:
        return TLSContexts(server, None, None)
    if given is None or isinstance(given, bool):
        given = TLSConfig(verify=given is not False)
    if not isinstance(given, TLSConfig):
        raise TypeError(
            f"ssl must be an ssl.SSLContext, a TLSConfig, False (no verification) or None, "
            f"not {type(given).__name__}"
        )
    if not given.verify:
        _warn(server)
    return TLSContexts(server, None, plan_tls(given, environ, server))


def _warn(server: ServerUrl) -> None:
    _log.warning(
        "TLS certificates are not verified: an attacker between here and %s can read the token",
        server.origin,
    )


def without_client_certificate(context: ssl.SSLContext) -> ssl.SSLContext:
    """Return a context with the trust of *context* and no client certificate."""
    # OpenSSL lists only authorities that were loaded from files or memory. A context without any
    # is assumed to trust the system's store.
    bare = type(context)(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname = context.check_hostname
    bare.verify_mode = context.verify_mode
    bare.verify_flags = context.verify_flags
    bare.options = context.options
    bare.minimum_version = context.minimum_version
    bare.maximum_version = context.maximum_version
    try:
        authorities = context.get_ca_certs(binary_form=True)
    except NotImplementedError:  # truststore's context, which uses the system's store
        return bare
    if authorities:
        bare.load_verify_locations(cadata=b"".join(authorities))
    elif context.verify_mode is not ssl.CERT_NONE:
        bare.load_default_certs()
    return bare


def _context(plan: TLSPlan, *, shows_certificate: bool = True) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    if plan.verify:
        # A named certificate is trusted by itself, even a server's own or an intermediate one.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if plan.system_store:
            context.load_default_certs()
        for named in {named.path: named for named in reversed(plan.authorities)}.values():
            _trust(context, named)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if shows_certificate and plan.certificate is not None:
        _show(context, plan.certificate, plan.key or plan.certificate, plan)
    return context


def _trust(context: ssl.SSLContext, named: NamedPath) -> None:
    paths = [_expanded(named.path)]
    if named.source == "SSL_CERT_DIR":
        paths = [_expanded(part) for part in named.path.split(os.pathsep) if part]
        paths = [path for path in paths if path.is_dir()] or paths
    for path in paths:
        try:
            if path.is_dir():
                _trust_directory(context, path)
            else:
                context.load_verify_locations(cafile=path)
        except ssl.SSLError:
            _refuse(named, path, "expected certificates in PEM format")
        except OSError as error:
            _refuse(named, path, error.strerror or "cannot be read")


def _trust_directory(context: ssl.SSLContext, path: Path) -> None:
    """Trust the certificates of a directory, with hashed names as for OpenSSL or without."""
    names = [entry.name for entry in path.iterdir()]
    if any(_HASHED.fullmatch(name) for name in names):
        context.load_verify_locations(capath=path)
        return
    files = [path / name for name in sorted(names) if Path(name).suffix.lower() in _PEM_SUFFIXES]
    if not files:
        raise ssl.SSLError("no certificate")
    for file in files:
        context.load_verify_locations(cafile=file)


def _show(context: ssl.SSLContext, certificate: NamedPath, key: NamedPath, plan: TLSPlan) -> None:
    paths = {named: _expanded(named.path) for named in (certificate, key)}
    for named, path in paths.items():
        try:
            path.open("rb").close()
        except OSError as error:
            _refuse(named, path, error.strerror or "cannot be read")
    password = _Password(plan)
    try:
        context.load_cert_chain(paths[certificate], paths[key], password)
    except _NoPasswordError:
        _refuse(key, paths[key], "encrypted key: expected client_key_password")
    except ssl.SSLError as error:
        if password.was_asked:
            _refuse(key, paths[key], "the key cannot be decrypted with client_key_password")
        if "MISMATCH" in (error.reason or ""):
            _refuse(key, paths[key], f"the key does not belong to {paths[certificate]}")
        where = "its key" if key == certificate else f"a key in {paths[key]} ({key.source})"
        said = f"expected a certificate in PEM format and {where}"
        _refuse(certificate, paths[certificate], said)


class _NoPasswordError(Exception):
    """An encrypted key has no password; OpenSSL would ask on the terminal."""


class _Password:
    """Password callback for OpenSSL, called for an encrypted key."""

    def __init__(self, plan: TLSPlan) -> None:
        self._plan = plan
        self.was_asked = False

    def __call__(self) -> str:
        self.was_asked = True
        if self._plan.password is None:
            raise _NoPasswordError
        return self._plan.password


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:  # no home directory
        return Path(path)


def _refuse(named: NamedPath, path: Path, why: str) -> NoReturn:
    raise ValueError(f"{named.source}: {path}: {why}") from None
