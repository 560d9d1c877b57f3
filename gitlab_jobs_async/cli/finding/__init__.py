"""Find projects, pipelines and jobs by what people know: a checkout, a URL, a name.

What reads the checkout or asks the server is loaded where it is needed.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
