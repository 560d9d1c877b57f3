"""An asyncio SDK for GitLab's CI Jobs API: public names and `__all__`, nothing else.

A name is loaded when it is first used. The names and their modules are listed once, in
`__init__.pyi`. Values of GitLab's are in `models`, those of a monitor in `events`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
