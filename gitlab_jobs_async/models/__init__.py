"""GitLab's values as frozen attrs classes, independent of JSON and the network.

A name is loaded when it is first used; `__init__.pyi` lists all of them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
