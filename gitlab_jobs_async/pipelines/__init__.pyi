from .fetch import (
    read_bridges as read_bridges,
)
from .fetch import (
    read_jobs as read_jobs,
)
from .fetch import (
    read_pipeline as read_pipeline,
)
from .fetch import (
    read_tree as read_tree,
)
from .job_names import (
    job_named as job_named,
)
from .job_names import (
    jobs_named as jobs_named,
)
from .lookup import (
    latest_of_commit as latest_of_commit,
)
from .lookup import (
    latest_of_merge_request as latest_of_merge_request,
)
from .lookup import (
    latest_of_ref as latest_of_ref,
)
from .timeline_fetch import (
    read_timelines as read_timelines,
)
from .timeline_follow import (
    follow_timelines as follow_timelines,
)
from .traversal import (
    PipelineRef as PipelineRef,
)
from .tree import (
    PipelineTree as PipelineTree,
)
from .wait import (
    JobProgress as JobProgress,
)
from .wait import (
    PipelineProgress as PipelineProgress,
)
from .wait import (
    WaitOptions as WaitOptions,
)
from .wait import (
    check_progress as check_progress,
)
from .wait import (
    wait_for_job as wait_for_job,
)
from .wait import (
    wait_for_pipeline as wait_for_pipeline,
)
