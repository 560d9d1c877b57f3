from .named import (
    store_named as store_named,
)
from .protocol import (
    Store as Store,
)
