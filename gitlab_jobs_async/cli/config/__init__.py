"""Server, token and certificates from flags, environment and configuration files.

The parser of each tool's files is loaded where there is such a file, and the search for near names
after an error.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
