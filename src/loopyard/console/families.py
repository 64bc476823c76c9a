"""The families of pages, in the order of the navigation."""

from collections.abc import Sequence

from loopyard.console.devboxes import pages as devboxes
from loopyard.console.family import Family
from loopyard.console.overview import pages as overview

FAMILIES: Sequence[Family] = (
    overview.FAMILY,
    devboxes.FAMILY,
)
