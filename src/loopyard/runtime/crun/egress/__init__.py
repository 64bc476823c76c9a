"""Egress control of sandboxes: rules in the kernel, and two small servers for decisions by name.

`firewall` is the way in. The rules stand in the kernel by themselves, so that they outlive a server that is killed.
"""

import dns._features

# dnspython loads HTTP clients and cryptography where they are installed, for transports that are not used here: a third
# of the time in which the egress process starts.
for _feature in ("doh", "doq", "dnssec"):
    dns._features.force(_feature, enabled=False)
