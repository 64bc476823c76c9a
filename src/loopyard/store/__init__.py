"""The schema of the store, and how it is brought up to date."""
