"""On PostgreSQL: the counts of runs stay exact while many change them and fold them at the same time."""

from tests.unit.scenario.run.test_counts import *  # noqa: F403
