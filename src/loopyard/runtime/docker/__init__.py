"""The provider for machines that have Docker or Podman, and not what the crun provider needs."""
