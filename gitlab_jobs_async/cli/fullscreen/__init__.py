"""The full screen of `watch`: pipelines with their jobs, and the log of a job.

The pure modules decide which rows, lines and words are shown; the others show them by textual. The
names are loaded at their first use, since textual takes time to load; `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
