"""Connections of the proxy: to upstreams by HTTP/1.1 and HTTP/2, and from devboxes by HTTP/1.1."""
