"""The first page: what goes on."""
