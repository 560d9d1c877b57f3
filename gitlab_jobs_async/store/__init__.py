"""Store of monitors: states, events, leases and the shared budget, for one process or many.

A module is loaded with the first name of it: a client without a store needs none.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
