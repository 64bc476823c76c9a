"""Builds images by buildah. Each RUN is as closed in as a sandbox: `enter` and `step` see to that."""
