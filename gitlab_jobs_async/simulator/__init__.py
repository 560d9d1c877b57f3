"""An in-process GitLab to develop and test against. Its parts are loaded on first use.

`Simulator` serves a `World` (projects, pipelines and jobs that move on a clock) over real HTTP.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
