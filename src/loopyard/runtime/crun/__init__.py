"""The provider that drives `crun` directly: each sandbox has an overlay, a uid range, a network and limits."""
