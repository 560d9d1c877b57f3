"""Rendering for terminals and pipes. Pure.

Names that need rich, or that are seldom needed, are loaded at their first use; `__init__.pyi` lists
them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
