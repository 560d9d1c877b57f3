"""Pipelines with everything downstream, and waiting for jobs and pipelines.

The names that `GitLab` and `Project` use are loaded at their first use; `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
