"""Pages of the account: its keys, limits and audit log; and the settings that the server runs with."""
