from .glab import (
    read_glab as read_glab,
)
