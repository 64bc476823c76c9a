"""Measures Loopyard on this machine, beside podman and docker where they are installed. Run as `./run bench`."""
