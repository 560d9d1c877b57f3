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
    wait_for_job as wait_for_job,
)
from .wait import (
    wait_for_pipeline as wait_for_pipeline,
)
