from .call_scopes import (
    report_coroutine as report_coroutine,
)
from .call_scopes import (
    report_method as report_method,
)
from .graphql import (
    query_graphql as query_graphql,
)
from .hook_observer import (
    HookObserver as HookObserver,
)
from .hooks import (
    CallHooks as CallHooks,
)
from .hooks import (
    RequestEnd as RequestEnd,
)
from .hooks import (
    RequestHooks as RequestHooks,
)
from .hooks import (
    request_hooks as request_hooks,
)
