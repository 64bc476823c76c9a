"""Commands and files in sandboxes that run."""
