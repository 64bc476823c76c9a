"""The feature of network policies."""

from loopyard.feature import Feature, Reconciler, Routes, Server
from loopyard.network_policy.endpoints import router
from loopyard.network_policy.enforcement import Enforcement, PolicyUsers


def build(server: Server, _: object) -> Feature:
    """Build the enforcement of policies."""
    enforcement = server.offer(Enforcement, Enforcement(server.database, server.runtime, server.get(PolicyUsers)))
    return Feature(
        routers=[Routes(router)],
        # A devbox that is made or resumed is given its policy then: only those that run are left for this one.
        reconcilers=[Reconciler("network policies", enforcement.reconcile, after=("devboxes",))],
    )
