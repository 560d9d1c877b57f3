from .tolerant_decoder import (
    TolerantDecoder as TolerantDecoder,
)
