from gitlab_jobs_async.simulator.clocks import (
    AcceleratedClock as AcceleratedClock,
)
from gitlab_jobs_async.simulator.clocks import (
    Clock as Clock,
)
from gitlab_jobs_async.simulator.clocks import (
    RealClock as RealClock,
)
from gitlab_jobs_async.simulator.clocks import (
    SteppedClock as SteppedClock,
)
from gitlab_jobs_async.simulator.delivering import (
    Delivered as Delivered,
)
from gitlab_jobs_async.simulator.delivering import (
    delivering as delivering,
)
from gitlab_jobs_async.simulator.faults import Fault as Fault
from gitlab_jobs_async.simulator.faults import Faults as Faults
from gitlab_jobs_async.simulator.hooks import (
    Delivery as Delivery,
)
from gitlab_jobs_async.simulator.hooks import (
    Webhook as Webhook,
)
from gitlab_jobs_async.simulator.logs import (
    BytesLog as BytesLog,
)
from gitlab_jobs_async.simulator.logs import (
    RepeatedLog as RepeatedLog,
)
from gitlab_jobs_async.simulator.logs import (
    RunnerScript as RunnerScript,
)
from gitlab_jobs_async.simulator.plans import (
    NEVER as NEVER,
)
from gitlab_jobs_async.simulator.plans import (
    JobPlan as JobPlan,
)
from gitlab_jobs_async.simulator.plans import (
    PipelinePlan as PipelinePlan,
)
from gitlab_jobs_async.simulator.plans import (
    PlannedJob as PlannedJob,
)
from gitlab_jobs_async.simulator.records import MergeRequest as MergeRequest
from gitlab_jobs_async.simulator.scenarios import (
    default_world as default_world,
)
from gitlab_jobs_async.simulator.scenarios import (
    demo_world as demo_world,
)
from gitlab_jobs_async.simulator.server import (
    ServedRequest as ServedRequest,
)
from gitlab_jobs_async.simulator.server import (
    Simulator as Simulator,
)
from gitlab_jobs_async.simulator.settings import SimulatorSettings as SimulatorSettings
from gitlab_jobs_async.simulator.world import World as World

__all__ = [
    "NEVER",
    "AcceleratedClock",
    "BytesLog",
    "Clock",
    "Fault",
    "Faults",
    "JobPlan",
    "MergeRequest",
    "PipelinePlan",
    "PlannedJob",
    "RealClock",
    "RepeatedLog",
    "RunnerScript",
    "ServedRequest",
    "Simulator",
    "SimulatorSettings",
    "SteppedClock",
    "World",
    "default_world",
    "demo_world",
]
