"""HTTP transport over aiohttp: connections, bodies, redirects, TLS, retries.

The names of the stub are loaded at their first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
