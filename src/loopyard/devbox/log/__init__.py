"""The log of a devbox: what ran in it and what that wrote, and what happened to it."""
