from .fetch import (
    read_failures as read_failures,
)
from .period import (
    Period as Period,
)
