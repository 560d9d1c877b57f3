from .job_metrics import (
    JobMetrics as JobMetrics,
)
from .otel_metrics import (
    OTelMetrics as OTelMetrics,
)
from .tracing import (
    tracing_hooks as tracing_hooks,
)
