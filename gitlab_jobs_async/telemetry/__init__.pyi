from .job_metrics import (
    JobMetrics as JobMetrics,
)
