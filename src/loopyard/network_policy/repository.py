"""SQL for network policies."""

from loopyard.kit.db.named_repository import NamedRepository
from loopyard.network_policy.models import NetworkPolicy


class NetworkPolicyRepository(NamedRepository[NetworkPolicy]):
    model = NetworkPolicy
    kind = "network policy"
