"""Permission to name a network policy in a request."""

from loopyard.auth.acting import require
from loopyard.identity.scopes import Level, Resource
from loopyard.network_policy.models import NetworkPolicy


def check_nameable(policy: NetworkPolicy, field: str) -> None:
    """See that the caller may have a devbox under a policy. One that opens hosts by name only narrows what a devbox
    without a policy reaches, so everyone may; one that opens networks or other devboxes may open more.

    Raises:
        Forbidden: It may open more, and the caller's key may not read the account.
    """
    if policy.allow_all or policy.allow_devbox_to_devbox or policy.allowed_cidrs:
        require(Resource.ACCOUNT, Level.READ, "a network policy that opens networks or other devboxes", field=field)
