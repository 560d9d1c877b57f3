"""Tables of a store, the same in SQLite and PostgreSQL but for the names of types.

States, events and log offsets begin with a checksum. A `complement` makes the sum of the numbers in
its row zero, so that a damaged one is refused.
"""

VERSION = 3
"""Version of the tables. Versions 1 and 2 were files of one monitor only."""

GRANT_SECONDS = 1.0
"""Seconds for which a request may be given a grant."""

CONNECTING_SECONDS = 1.0
"""Seconds after these until which it may be sent."""

TABLES = (
    "CREATE TABLE properties (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL,"
    " complement BIGINT NOT NULL)",
    "CREATE TABLE leases (name TEXT PRIMARY KEY, owner TEXT NOT NULL, epoch BIGINT NOT NULL,"
    " version BIGINT NOT NULL, expires DOUBLE PRECISION NOT NULL,"
    " renewed_at DOUBLE PRECISION NOT NULL)",
    "CREATE TABLE states (name TEXT PRIMARY KEY, route BIGINT, state {bytes} NOT NULL)",
    "CREATE TABLE events (place BIGINT PRIMARY KEY, key TEXT NOT NULL UNIQUE, route BIGINT,"
    " event {bytes} NOT NULL, recorded_at DOUBLE PRECISION NOT NULL, is_pending INTEGER NOT NULL)",
    "CREATE TABLE logs (job_id BIGINT PRIMARY KEY, route BIGINT, read_to {bytes} NOT NULL)",
    "CREATE TABLE consumers (name TEXT PRIMARY KEY, place BIGINT NOT NULL, missed BIGINT NOT NULL,"
    " complement BIGINT NOT NULL)",
    "CREATE TABLE grants (kind TEXT NOT NULL, granted_at DOUBLE PRECISION NOT NULL,"
    " requests BIGINT NOT NULL)",
    "CREATE TABLE refusals (kind TEXT PRIMARY KEY, began DOUBLE PRECISION NOT NULL,"
    " until DOUBLE PRECISION NOT NULL)",
    "CREATE TABLE hooks (place BIGINT PRIMARY KEY, hook {bytes} NOT NULL,"
    " sent_at DOUBLE PRECISION NOT NULL)",
)
INDEXES = (
    "CREATE INDEX pending_events ON events (place) WHERE is_pending = 1",
    "CREATE INDEX grants_by_time ON grants (granted_at)",
)
COUNTERS = (
    "INSERT INTO counters VALUES ('place', 0, 0)",
    "INSERT INTO counters VALUES ('serial', 0, 0)",
    "INSERT INTO counters VALUES ('hook', 0, 0)",
    "INSERT INTO counters VALUES ('lease', 0, 0)",
    "INSERT INTO counters VALUES ('time', 0, 0)",
    "INSERT INTO counters VALUES ('asked_at', 0, 0)",
)


def statements(bytes_type: str) -> list[str]:
    """Return the statements that create the tables."""
    return [
        *(table.format(bytes=bytes_type) for table in TABLES),
        *INDEXES,
        *COUNTERS,
    ]
