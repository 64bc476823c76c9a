"""The families of pages, in the order of the navigation."""

from collections.abc import Sequence

from loopyard.console.account import pages as account
from loopyard.console.axons import pages as axons
from loopyard.console.blueprints import pages as blueprints
from loopyard.console.devboxes import pages as devboxes
from loopyard.console.family import Family
from loopyard.console.objects import pages as objects
from loopyard.console.overview import pages as overview
from loopyard.console.resources import pages as resources

FAMILIES: Sequence[Family] = (
    overview.FAMILY,
    devboxes.FAMILY,
    blueprints.FAMILY,
    objects.FAMILY,
    *resources.FAMILIES,
    axons.FAMILY,
    account.FAMILY,
)
