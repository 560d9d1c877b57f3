from .checkout import (
    Checkout as Checkout,
)
from .checkout import (
    behind_alias as behind_alias,
)
from .checkout import (
    find_checkout as find_checkout,
)
from .remotes import (
    parse_remote as parse_remote,
)
from .resolve import (
    Finder as Finder,
)
