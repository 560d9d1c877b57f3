from .connection import (
    ConnectionState as ConnectionState,
)
from .feed import (
    Watched as Watched,
)
from .run import (
    make_app as make_app,
)
from .run import (
    show as show,
)
