from .job_metrics import (
    JobMetrics as JobMetrics,
)
from .tracing import (
    tracing_hooks as tracing_hooks,
)
