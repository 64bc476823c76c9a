"""Pages of axons: with their events as they come."""
