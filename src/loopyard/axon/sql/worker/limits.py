"""Limits on what a statement may take. docs/specification.md promises each."""

SECONDS = 5.0
"""Time of one call, query or batch as a whole."""

GRACE_SECONDS = 1.0
"""Time after that, after which the worker process is killed: a single function of SQL cannot be interrupted."""

ROWS = 10_000
"""Rows of one result. What is beyond is cut, and the result says so."""

RESULT_BYTES = 16 * 1024**2
"""Bytes of the values of all results of one call, 16 MiB; cut in the same way."""

DATABASE_BYTES = 256 * 1024**2
"""Size of one axon's database, 256 MiB."""

HEAP_BYTES = 64 * 1024**2
"""Memory of SQLite in one worker, 64 MiB."""

ADDRESS_SPACE_BYTES = 512 * 1024**2
"""Address space that one worker may have beyond what it starts with, 512 MiB."""

FILE_BYTES = 2 * DATABASE_BYTES
"""Size of any file that a worker writes."""

OPEN_FILES = 32
"""Open files of one worker."""

VALUE_BYTES = 8 * 1024**2
"""Bytes of one string, blob or row, 8 MiB."""

SQL_BYTES = 1024**2
"""Bytes of one statement's text, 1 MiB."""

PARAMETERS = 10_000
"""Parameters of one statement."""

STATEMENTS = 1000
"""Statements of one batch."""

EXPRESSION_DEPTH = 200
"""Depth of one expression."""

COLUMNS = 500
"""Columns of a table or result."""

PAGE_BYTES = 4096
PROGRESS_STEPS = 2000
"""Instructions of SQLite's virtual machine between two looks at the clock."""

REQUEST_KEEP_MS = 24 * 3600 * 1000
"""Time that the answer to a statement that changed something is kept for repeats of its request: a day."""
