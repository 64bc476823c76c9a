"""The provider that drives `crun` directly: an overlay, a uid range, a network namespace and limits for each sandbox."""
