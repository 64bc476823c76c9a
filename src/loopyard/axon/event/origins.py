"""Origins of events, as numbers in the store and in SQL and as words on the wire."""

from enum import IntEnum
from typing import Literal


class Origin(IntEnum):
    """The kind of party that published an event. The numbers are those that clients expect of `rl_axon_events`."""

    EXTERNAL_EVENT = 1
    AGENT_EVENT = 2
    USER_EVENT = 3
    SYSTEM_EVENT = 4


OriginName = Literal["EXTERNAL_EVENT", "AGENT_EVENT", "USER_EVENT", "SYSTEM_EVENT"]
CallersOrigin = Literal["EXTERNAL_EVENT", "AGENT_EVENT", "USER_EVENT"]
"""Origins that a caller may publish; events of the system are written by the server only."""
