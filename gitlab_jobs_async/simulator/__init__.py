"""An in-process GitLab to develop and test against; nothing is loaded before it is used.

`Simulator` serves a `World` (projects, pipelines and jobs that move on a clock) over real HTTP.
"""

from importlib import import_module
from typing import Final

_HOMES: Final = {
    "AcceleratedClock": "clocks",
    "BytesLog": "logs",
    "Clock": "clocks",
    "Delivered": "delivering",
    "Delivery": "hooks",
    "Fault": "faults",
    "Faults": "faults",
    "JobPlan": "plans",
    "MergeRequest": "records",
    "NEVER": "plans",
    "PipelinePlan": "plans",
    "PlannedJob": "plans",
    "RealClock": "clocks",
    "RepeatedLog": "logs",
    "RunnerScript": "logs",
    "ServedRequest": "server",
    "Simulator": "server",
    "SimulatorSettings": "settings",
    "SteppedClock": "clocks",
    "Webhook": "hooks",
    "World": "world",
    "default_world": "scenarios",
    "delivering": "delivering",
    "demo_world": "scenarios",
}

__all__ = [
    "NEVER",
    "AcceleratedClock",
    "BytesLog",
    "Clock",
    "Delivered",
    "Delivery",
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
    "Webhook",
    "World",
    "default_world",
    "delivering",
    "demo_world",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
