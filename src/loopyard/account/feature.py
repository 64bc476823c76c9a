"""The feature of accounts and their limits."""

from typing import Protocol

from loopyard.account.config import Limits
from loopyard.account.endpoints import router
from loopyard.account.limits import AccountLimits
from loopyard.feature import Feature, Routes, Server


class AccountSettings(Protocol):
    """Settings that this feature reads."""

    limits: Limits


def build(server: Server, settings: AccountSettings) -> Feature:
    """Build the limits of accounts."""
    server.offer(AccountLimits, AccountLimits(settings.limits))
    return Feature(routers=[Routes(router)])
