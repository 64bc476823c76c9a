"""The life of a trial. It only ever moves on, and each step is written down before it is done."""

from enum import StrEnum
from typing import Literal


class Step(StrEnum):
    WAITING = "waiting"
    """For its turn; nothing of it has begun."""
    STARTING = "starting"
    """Its scenario run is decided on, and its devbox is being made."""
    WORKING = "working"
    """The agent is set to the problem."""
    SCORING = "scoring"
    """The agent is done, and its work is being scored."""
    ENDED = "ended"


UNDER_WAY = (Step.STARTING, Step.WORKING, Step.SCORING)


class Result(StrEnum):
    """How a trial ended, in the wire's words. Only `COMPLETED` may have a score."""

    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    TIMEOUT = "TIMEOUT"
    CANCELED = "CANCELED"


ResultName = Literal["COMPLETED", "FAILED", "TIMEOUT", "CANCELED"]


class Fault(StrEnum):
    """Whose fault it is that a trial was not scored."""

    MODEL = "model"
    INFRASTRUCTURE = "infrastructure"
    SCENARIO = "scenario"
    """A launch command of the scenario's own failed, so that the agent could not begin."""
