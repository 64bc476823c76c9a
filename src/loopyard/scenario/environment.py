"""Where a scenario is run."""

from typing import Annotated

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox.create.origin import find_origin
from loopyard.devbox.create.upstreams import find_calls
from loopyard.devbox.schemas import DevboxCreateParams
from loopyard.kit.errors import BadRequest
from loopyard.kit.http.naming import renamed
from loopyard.kit.http.wire import Params, Text
from loopyard.launch.parameters import LaunchParameters


class ScenarioEnvironment(Params):
    blueprint_id: Text | None = None
    launch_parameters: LaunchParameters | None = None
    snapshot_id: Text | None = None
    working_directory: Annotated[Text, Field(min_length=1, max_length=4096)] | None = None
    """Relative to the user's home, or absolute. It is made if it is not there. Default: where the image says, else the
    home."""

    def devbox(self) -> DevboxCreateParams:
        """Parameters of a devbox for it."""
        return DevboxCreateParams(
            blueprint_id=self.blueprint_id, snapshot_id=self.snapshot_id, launch_parameters=self.launch_parameters
        )


async def check(session: AsyncSession, account_id: str, environment: ScenarioEnvironment, field: str) -> None:
    """Make sure that the account can have devboxes of this kind. `field` is what the request calls the environment.

    Raises:
        BadRequest: Something is not offered here; the error names it.
        NotFound: The blueprint, snapshot or policy does not exist.
    """
    if environment.blueprint_id is not None and environment.snapshot_id is not None:
        raise BadRequest(f"{field}: give blueprint_id or snapshot_id, not both.", field=field)
    with renamed(f"{field}."):
        launch = environment.launch_parameters or LaunchParameters()
        await find_origin(session, account_id, environment.devbox())
        with renamed("launch_parameters."):
            await find_calls(session, account_id, environment.devbox(), launch)
