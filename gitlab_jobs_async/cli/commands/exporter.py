"""The command `exporter`: metrics of jobs and pipelines for Prometheus."""

from importlib import resources
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from gitlab_jobs_async.cli.commands.plan import ForecastOptions
from gitlab_jobs_async.cli.config.client import connect_to
from gitlab_jobs_async.cli.errors import OK, usage_error
from gitlab_jobs_async.cli.named_projects import named_projects
from gitlab_jobs_async.cli.options import (
    ANY_SERVER,
    NO_PROJECTS,
    Positive,
    ProjectOptions,
    ProjectWord,
    ServerOptions,
)
from gitlab_jobs_async.cli.terminal import print_error, write


async def exporter(
    *projects: ProjectWord,
    many: ProjectOptions = NO_PROJECTS,
    listen: Annotated[
        str, Parameter(metavar="HOST:PORT", help="Address of the metrics.", show_default=True)
    ] = "127.0.0.1:9464",
    checkpoint: Annotated[
        Path | None,
        Parameter(
            metavar="FILE",
            help="File of the progress; counters are kept beside it, in FILE.metrics. One exporter"
            " at a time uses them.",
        ),
    ] = None,
    max_series: Annotated[
        int,
        Parameter(
            validator=Number(gte=1),
            metavar="N",
            help="Most label sets of a metric.",
            show_default=True,
        ),
    ] = 10_000,
    print_dashboard: Annotated[
        bool, Parameter(help="Print a dashboard for Grafana as JSON, and exit.")
    ] = False,
    per_minute: Annotated[Positive, Parameter(help="Maximum requests per minute.")] = None,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Serve metrics of jobs and pipelines until Ctrl-C or SIGTERM."""
    if print_dashboard:
        file = resources.files("gitlab_jobs_async.telemetry") / "dashboard.json"
        write(file.read_text(encoding="utf-8"))
        return OK
    try:
        # Here, so that the command can say what is missing.
        from prometheus_client import CollectorRegistry  # noqa: PLC0415

        from gitlab_jobs_async.cli.metrics_server import (  # noqa: PLC0415
            metrics_server,
            parse_address,
        )
        from gitlab_jobs_async.telemetry import JobMetrics  # noqa: PLC0415
    except ImportError as error:
        raise usage_error(
            "prometheus-client is missing: pip install 'gitlab_jobs_async[cli,telemetry]'"
        ) from error
    address = parse_address(listen)
    named = named_projects(projects, many, server)
    named.note()
    if checkpoint is not None and (not checkpoint.name or _is_url(checkpoint)):
        raise usage_error(f"--checkpoint {checkpoint}: expected a file, with counters beside it")
    budget = ForecastOptions(per_minute=per_minute).budget()
    stored = None if checkpoint is None else f"{checkpoint}.metrics"
    async with connect_to(named.server, server, budget) as gitlab:
        with JobMetrics(budget=gitlab.budget, file=stored, max_series=max_series) as metrics:
            registry = CollectorRegistry()
            registry.register(metrics)
            async with (
                metrics_server(registry, *address) as port,
                metrics.follow_pipelines(gitlab),
                # The reason of a failure is missing in a partial job.
                gitlab.monitor(named.names, checkpoint=checkpoint, complete=True) as events,
            ):
                print_error(f"metrics at http://{address[0]}:{port}/metrics")
                async for event in events:
                    metrics.observe(event)
    return OK


def _is_url(path: Path) -> bool:
    return path.parts[0] in {"postgres:", "postgresql:"}
