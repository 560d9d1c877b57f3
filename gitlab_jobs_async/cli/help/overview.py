"""The text of `gitlab-jobs --help`."""

from typing import Final

OVERVIEW: Final = """List, follow and act on GitLab CI jobs across many projects.

Server: --url, else GITLAB_URL (or GITLAB_HOST, GL_HOST, GITLAB_URI, GITLAB_BASE_URL,
GITLAB_API_URL; two that differ are an error), else CI_SERVER_URL in a CI job, else the default in
the configuration of python-gitlab or glab, else https://gitlab.com.

Token: --token, else GITLAB_TOKEN (or GITLAB_PRIVATE_TOKEN, GITLAB_OAUTH_TOKEN), else CI_JOB_TOKEN
in a CI job, else the configured token of that server. A token is sent only to the server it was
found for: a token of the environment to the server of the environment, CI_JOB_TOKEN to the server
of the job.

Certificates: --ca-file, --client-cert and --client-key, else the server's configuration
(ssl_verify; ca_cert, client_cert, client_key, skip_tls_verify), else SSL_CERT_FILE,
REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and the CI_SERVER_TLS_ files. Proxies: https_proxy, http_proxy,
all_proxy and no_proxy.

A terminal gets tables and colours, a pipe plain lines. --json prints one JSON object per line with
GitLab's field names.

Exit codes: 0 success; 1 a followed job or pipeline failed, or the answer is no; 2 invalid usage,
input, configuration or local file; 3 the server or the network failed; 4 not found, or not allowed;
130 interrupted by Ctrl-C, SIGTERM or SIGHUP.
"""
