"""The store: connections, transactions, columns, and waiting for a row to change."""
