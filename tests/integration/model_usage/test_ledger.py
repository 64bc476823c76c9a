"""On PostgreSQL: the ledger, what it lets pass, what it writes down, and what a crash leaves."""

from tests.unit.model_usage.test_ledger import *  # noqa: F403
