"""On PostgreSQL: the list of runs against a naive model: every filter, every page, exact totals."""

from tests.unit.scenario.run.test_lists import *  # noqa: F403
