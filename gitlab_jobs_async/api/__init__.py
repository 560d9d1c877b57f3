"""The REST API as values: requests, responses, links, credentials, JSON decoding.

`Judge` is loaded at its first use: see `judge`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
