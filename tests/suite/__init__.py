"""The test suite itself: its layers, its workers, where its time goes, and the tests that are flaky."""
