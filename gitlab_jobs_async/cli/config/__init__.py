"""Server, token and certificates from flags, environment and configuration files.

`read_glab` and PyYAML are loaded where there is a file of glab's.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
