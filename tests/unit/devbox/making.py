"""Makes devboxes in a store without making sandboxes."""

from loopyard.devbox.lifecycle.states import Status
from loopyard.devbox.models import Devbox


def stored_devbox(devbox_id: str, status: Status = Status.RUNNING) -> Devbox:
    """A devbox of the account `acc_1`, which has to be there."""
    return Devbox(
        id=devbox_id,
        account_id="acc_1",
        status=status,
        metadata_={},
        environment_variables={},
        launch_parameters={},
        file_mounts={},
        secrets={},
        state_transitions=[],
        initiator_type="api",
        create_time_ms=0,
        active_at_ms=0,
    )
