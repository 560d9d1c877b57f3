"""The REST API as values: requests, responses, links, credentials, JSON decoding.

`TolerantDecoder` and `to_dict` are loaded at their first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
