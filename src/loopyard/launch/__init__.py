"""Launches: what requests say of a devbox to be made, and blueprints of all that are made from them."""
