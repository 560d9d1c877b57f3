"""Artifacts on disk: archives downloaded with resumption, and unpacked safely.

The names that `Project` uses are loaded at their first use; `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
