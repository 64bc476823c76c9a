"""Gateways: calls of devboxes to an upstream with a credential that no devbox sees."""
