"""Rules on what a statement may do, asked by SQLite while it compiles one."""

import apsw

EVENTS = "rl_axon_events"
REQUESTS = "rl_axon_requests"
"""Table of the answers to requests, for repeats of them."""

RESERVED = "rl_"
"""Start of names that are not the user's to give."""

_PRAGMAS = {
    "collation_list",
    "compile_options",
    "data_version",
    "foreign_key_check",
    "foreign_key_list",
    "freelist_count",
    "function_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "page_count",
    "page_size",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
}
"""Pragmas that only read; and a number in the database's header that is the user's own."""

_MODULES = {"fts5", "rtree"}
"""Virtual tables that may be made."""

_HIDDEN = {"dbstat", "sqlite_dbpage", "sqlite_stmt", "bytecode", "tables_used", REQUESTS}
"""Tables that may not be read."""

_FUNCTIONS = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "fsdir", "lsmode"}
"""Functions that reach out of the database; most builds of SQLite do not have them."""

_CREATES = {
    apsw.SQLITE_CREATE_INDEX,
    apsw.SQLITE_CREATE_TABLE,
    apsw.SQLITE_CREATE_TRIGGER,
    apsw.SQLITE_CREATE_VIEW,
    apsw.SQLITE_CREATE_VTABLE,
}
_TEMPORARY = {
    apsw.SQLITE_CREATE_TEMP_INDEX,
    apsw.SQLITE_CREATE_TEMP_TABLE,
    apsw.SQLITE_CREATE_TEMP_TRIGGER,
    apsw.SQLITE_CREATE_TEMP_VIEW,
    apsw.SQLITE_DROP_TEMP_INDEX,
    apsw.SQLITE_DROP_TEMP_TABLE,
    apsw.SQLITE_DROP_TEMP_TRIGGER,
    apsw.SQLITE_DROP_TEMP_VIEW,
}
_CHANGES = {
    apsw.SQLITE_INSERT,
    apsw.SQLITE_UPDATE,
    apsw.SQLITE_DELETE,
    apsw.SQLITE_DROP_TABLE,
    apsw.SQLITE_DROP_VTABLE,
    apsw.SQLITE_DROP_VIEW,
}
_HARMLESS = {
    apsw.SQLITE_SELECT,
    apsw.SQLITE_RECURSIVE,
    apsw.SQLITE_REINDEX,
    apsw.SQLITE_ANALYZE,
    apsw.SQLITE_DROP_INDEX,
    apsw.SQLITE_DROP_TRIGGER,
}


class Authorizer:
    """An authorizer for one connection. `reason` tells why it last refused something."""

    def __init__(self) -> None:
        self.trusted = True
        """True while the worker's own statements are being compiled."""
        self.reason: str | None = None
        self.is_altering = False
        """True if the statement changes a table's definition."""

    def expect_statement(self) -> None:
        """Turn to a statement of a caller."""
        self.trusted, self.reason, self.is_altering = False, None, False

    def __call__(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if self.trusted:
            return apsw.SQLITE_OK
        self.is_altering |= action == apsw.SQLITE_ALTER_TABLE
        reason = _refusal(action, (first or "").lower(), (second or "").lower())
        if reason is None:
            return apsw.SQLITE_OK
        self.reason = reason
        return apsw.SQLITE_DENY


def _refusal(action: int, first: str, second: str) -> str | None:
    if action in _HARMLESS:
        return None
    if action == apsw.SQLITE_READ:
        return f"{first} may not be read." if first in _HIDDEN else None
    if action == apsw.SQLITE_FUNCTION:
        return f"the function {second} is not available here." if second in _FUNCTIONS else None
    if action == apsw.SQLITE_PRAGMA:
        return None if first in _PRAGMAS else f"PRAGMA {first} is not available here."
    if action in _TEMPORARY:
        return "temporary tables are not kept from one call to the next; make an ordinary one."
    if action in _CREATES and first.startswith(RESERVED):
        return f"names that start with {RESERVED} are reserved."
    if action == apsw.SQLITE_CREATE_VTABLE and second not in _MODULES:
        return f"the module {second} is not available here."
    if action == apsw.SQLITE_ALTER_TABLE:
        return f"{second} may not be changed." if second in (EVENTS, REQUESTS) else None
    if action in _CHANGES:
        return f"{first} may not be changed." if first in (EVENTS, REQUESTS) else None
    if action in _CREATES:
        return None
    if action in (apsw.SQLITE_ATTACH, apsw.SQLITE_DETACH):
        return "ATTACH, DETACH and VACUUM are not available here."
    if action in (apsw.SQLITE_TRANSACTION, apsw.SQLITE_SAVEPOINT):
        return "a call is a transaction of its own; use a batch for several statements in one."
    return "this is not available here."
