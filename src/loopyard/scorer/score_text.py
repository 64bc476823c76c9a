"""Reads a score out of what a scorer printed."""

import math
import re

from loopyard.scorer.scorer import Ended, NoScore

_SCORE = re.compile(r"(?<![A-Za-z0-9_])score=([^\s\"',;)\]}]*)")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
_LINE_END = re.compile(r"\r\n|\r|\n")
"""Line ends of a terminal. Unicode has more, which text may hold within a line."""

_SHOWN = 100


def check_exit(ended: Ended, program: str) -> None:
    """Make sure that the program ended well.

    Raises:
        NoScore: Its exit status is not 0, so that what it printed before is not its last word.
    """
    if ended.exit_status > 128:
        raise NoScore(f"The {program} was ended by signal {ended.exit_status - 128}.")
    if ended.exit_status != 0:
        raise NoScore(f"The {program} exited with status {ended.exit_status}.")


def last_score(stdout: str) -> float:
    """The score of the last `score=NUMBER` in the text.

    Raises:
        NoScore: There is none, or the last is not a number from 0 to 1.
    """
    found = _SCORE.findall(stdout)
    if not found:
        raise NoScore("It printed no score; print 'score=' and a number from 0.0 to 1.0 to standard output.")
    return number(found[-1])


def last_score_or_number(stdout: str) -> float:
    """The last score in the text: `score=NUMBER`, or a line that is nothing but a number.

    Raises:
        NoScore: There is none, or the last is not a number from 0 to 1.
    """
    for line in reversed(_LINE_END.split(stdout)):
        if found := _SCORE.findall(line):
            return number(found[-1])
        if _NUMBER.fullmatch(line.strip()):
            return number(line.strip())
    raise NoScore("It printed no score; print a number from 0.0 to 1.0 to standard output, on a line of its own.")


def number(text: str) -> float:
    """A score from its text.

    Raises:
        NoScore: It is not a number from 0 to 1.
    """
    if _NUMBER.fullmatch(text) is None:
        raise NoScore(f"The score is not a number: {text[:_SHOWN]!r}.")
    score = float(text)
    if math.isnan(score) or not 0 <= score <= 1:
        raise NoScore(f"The score {text[:_SHOWN]} is not from 0.0 to 1.0.")
    return score
