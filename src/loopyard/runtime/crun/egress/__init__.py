"""What sandboxes may reach: rules in the kernel, and two small servers for what only names can decide.

`firewall` is the way in. The rules stand in the kernel by themselves, so that they outlive a server that is killed.
"""
