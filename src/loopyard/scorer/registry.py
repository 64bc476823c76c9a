"""Every type of scorer, told apart on the wire by `type`. A new one is a module of its own and a name here."""

from typing import Annotated

from pydantic import Field

from loopyard.scorer.ast_grep import AstGrepScorer
from loopyard.scorer.bash_script import BashScriptScorer
from loopyard.scorer.command import CommandScorer
from loopyard.scorer.custom import CustomScorer, RegisteredScript
from loopyard.scorer.python_script import PythonScriptScorer
from loopyard.scorer.test_based import TestBasedScorer

AnyScorer = Annotated[
    AstGrepScorer | BashScriptScorer | CommandScorer | CustomScorer | PythonScriptScorer | TestBasedScorer,
    Field(discriminator="type"),
]

RunScorer = Annotated[
    AstGrepScorer | BashScriptScorer | CommandScorer | PythonScriptScorer | RegisteredScript | TestBasedScorer,
    Field(discriminator="type"),
]
"""Scorers of runs: the wire's types, with the scripts that custom scorers stand for."""
