"""The text of `gitlab-jobs --help`."""

from typing import Final

OVERVIEW: Final = """List, follow and act on GitLab CI jobs across many projects.

Server and token come from GITLAB_URL and GITLAB_TOKEN, else from the configuration of python-gitlab
or glab. A terminal gets tables and colours, a pipe plain lines. --json prints one JSON object per
line with GitLab's field names.

Exit codes: 0 success; 1 a followed job or pipeline failed, or the answer is no; 2 invalid usage,
input, configuration or local file; 3 the server or the network failed; 4 not found, or not allowed;
130 interrupted by Ctrl-C, SIGTERM or SIGHUP.
"""

FURTHER: Final = """Further help:
  gitlab-jobs help COMMAND   options and examples of a command
  gitlab-jobs help names     how projects, pipelines and jobs are named
  gitlab-jobs help server    where server, token and certificates are found
"""

SERVER: Final = """Where server, token and certificates are found; the first one counts.

Server: --url, else GITLAB_URL (or GITLAB_HOST, GL_HOST, GITLAB_URI, GITLAB_BASE_URL,
GITLAB_API_URL; two that differ are an error), else CI_SERVER_URL in a CI job, else the default in
the configuration of python-gitlab or glab, else https://gitlab.com.

Token: --token, else GITLAB_TOKEN (or GITLAB_PRIVATE_TOKEN, GITLAB_OAUTH_TOKEN), else CI_JOB_TOKEN
in a CI job, else the configured token of that server. A token is sent only to the server it was
found for: a token of the environment to the server of the environment, CI_JOB_TOKEN to the server
of the job. Reading needs the scope read_api, every change needs api.

Configuration: python-gitlab's is PYTHON_GITLAB_CFG, else ~/.python-gitlab.cfg and
/etc/python-gitlab.cfg, of which --profile selects a section. glab's is config.yml in
GLAB_CONFIG_DIR, else in glab-cli below XDG_CONFIG_HOME, ~/.config or XDG_CONFIG_DIRS.

Certificates: --ca-file, --client-cert and --client-key, else the server's configuration
(ssl_verify; ca_cert, client_cert, client_key, skip_tls_verify), else SSL_CERT_FILE,
REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and the CI_SERVER_TLS_ files.

Proxies: https_proxy, http_proxy, all_proxy and no_proxy, as curl reads them.
"""

NAMES: Final = """How projects, pipelines and jobs are named.

PROJECT: an id, a path or a URL. Without one, or with a dot, it is the project of the git checkout:
that of the remote to which its branch is pushed or from which it is pulled, else of origin.

PIPELINE: an id, latest, a branch, a tag, a sha, !12 for a merge request, or a URL. The newest one
counts. latest is that of the checkout's branch, or of the default branch of a named project.

JOB: an id, a name or a URL. A name is a job of --pipeline, else of latest. One word is a JOB; of
several, the first is the PROJECT if it has a slash or is a number. With a dot in front or
--project, all are JOBs.

URL: the page of a project, pipeline, job, merge request, branch or commit, or a URL of the API. It
selects the server, too, if a token for it is configured; no other token is sent to it. trace, tail
and show begin three lines before the line of a URL such as .../-/jobs/5#L120.
"""

TOPICS: Final = {"names": NAMES, "server": SERVER}
"""Texts of `gitlab-jobs help TOPIC` beside the commands."""
