"""Results of test suites that code under test can neither print nor shadow: programs for the box, and their placing."""
