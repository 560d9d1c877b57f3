from .glab import (
    read_glab as read_glab,
)
from .python_gitlab import (
    read_python_gitlab as read_python_gitlab,
)
