"""The feature of benchmark runs' profiles, which scenario runs inherit: scenarios are built with it."""

from loopyard.benchmark.run.inheritance import Inheritance
from loopyard.feature import Feature, Server
from loopyard.scenario.run.inherited import InheritedProfiles
from loopyard.secret.held import HeldTokens


def build(server: Server, _: object) -> Feature:
    """Build the inheritance of profiles."""
    inheritance = server.offer(Inheritance, Inheritance(server.get(HeldTokens)))
    server.offer(InheritedProfiles, inheritance)
    return Feature()
