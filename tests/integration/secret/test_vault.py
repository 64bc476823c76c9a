"""On PostgreSQL: sealing, opening, and changing the keys."""

from tests.unit.secret.test_vault import *  # noqa: F403
