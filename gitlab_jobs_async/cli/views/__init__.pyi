from .pipelines import (
    change_line as change_line,
)
from .pipelines import (
    pipeline_view as pipeline_view,
)
from .progress import (
    Done as Done,
)
from .progress import (
    progress_line as progress_line,
)
from .screen import (
    Screen as Screen,
)
from .screen import (
    console as console,
)
from .screen import (
    help_screen as help_screen,
)
from .streamed import (
    streamed_table as streamed_table,
)
from .tables import (
    details_table as details_table,
)
from .tables import (
    jobs_table as jobs_table,
)
from .tables import (
    rows_table as rows_table,
)
