from .json_writing import (
    to_dict as to_dict,
)
from .tolerant_decoder import (
    TolerantDecoder as TolerantDecoder,
)
