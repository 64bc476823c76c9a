"""`python -m loopyard`: the `loopyard` command."""

from loopyard.cli import app

app()
