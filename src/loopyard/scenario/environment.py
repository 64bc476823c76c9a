"""Where a scenario is run."""

from typing import Annotated

from pydantic import Field

from loopyard.devbox.launch_parameters import LaunchParameters
from loopyard.devbox.schemas import DevboxCreateParams
from loopyard.devbox.service import check_offered
from loopyard.kit.errors import BadRequest
from loopyard.kit.naming import renamed
from loopyard.kit.wire import Params, Text


class ScenarioEnvironment(Params):
    blueprint_id: Text | None = None
    launch_parameters: LaunchParameters | None = None
    snapshot_id: Text | None = None
    working_directory: Annotated[Text, Field(min_length=1, max_length=4096)] | None = None
    """Relative to the user's home, or absolute. It is made if it is not there. Default: the home."""

    def devbox(self) -> DevboxCreateParams:
        """What a devbox for it is made of."""
        return DevboxCreateParams(
            blueprint_id=self.blueprint_id, snapshot_id=self.snapshot_id, launch_parameters=self.launch_parameters
        )


def check(environment: ScenarioEnvironment, field: str) -> None:
    """Make sure that devboxes of this kind can be made here. `field` is what the request calls the environment.

    Raises:
        BadRequest: Something is not offered here; the error names it.
        NotFound: The blueprint or snapshot does not exist.
    """
    if environment.blueprint_id is not None and environment.snapshot_id is not None:
        raise BadRequest(f"{field}: give blueprint_id or snapshot_id, not both.", field=field)
    with renamed(f"{field}."):
        check_offered(environment.devbox(), environment.launch_parameters or LaunchParameters())
