from .graphql import (
    query_graphql as query_graphql,
)
