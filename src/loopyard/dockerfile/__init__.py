"""Frontend of the builder: reads Dockerfiles, checks them, and plans what an engine then does.

`plan_dockerfile` and `expand` are its two phases; `plan` has what they give.
"""

from loopyard.dockerfile.errors import DockerfileError
from loopyard.dockerfile.frontend import Options, expand, plan_dockerfile

__all__ = ["DockerfileError", "Options", "expand", "plan_dockerfile"]
