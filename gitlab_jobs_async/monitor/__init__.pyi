from .monitor import (
    Monitor as Monitor,
)
from .monitor import (
    MonitorOptions as MonitorOptions,
)
from .monitor import (
    monitored as monitored,
)
from .targets import (
    GroupTarget as GroupTarget,
)
from .watch.factory import (
    Target as Target,
)
from .watch.factory import (
    normalize_targets as normalize_targets,
)
