from .graphql import (
    query_graphql as query_graphql,
)
from .hook_observer import (
    HookObserver as HookObserver,
)
from .hooks import (
    RequestHooks as RequestHooks,
)
from .hooks import (
    request_hooks as request_hooks,
)
