from .download import (
    DownloadProgress as DownloadProgress,
)
from .download import (
    download_archive as download_archive,
)
from .files import (
    ArtifactDownload as ArtifactDownload,
)
from .members import (
    Links as Links,
)
from .members import (
    UnpackLimits as UnpackLimits,
)
from .unpack import (
    download_and_unpack as download_and_unpack,
)
