"""A small process of one thread that forks for each act: making a sandbox, running a command, freeing.

It lives in a mount namespace of its own, so that its mounts trouble nobody and vanish with it. It imports next to
nothing, since forking is as dear as the process is large. What it starts outlives it and the server.
"""
