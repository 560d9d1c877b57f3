from .glab import (
    read_glab as read_glab,
)
from .missing_names import (
    near_names as near_names,
)
from .python_gitlab import (
    read_python_gitlab as read_python_gitlab,
)
