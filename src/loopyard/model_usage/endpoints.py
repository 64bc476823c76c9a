"""/v1/devboxes/{id}/model_usage: usage of models by a devbox."""

from typing import Annotated

from fastapi import APIRouter, Depends

from loopyard.auth.caller import CallerDep
from loopyard.devbox.lifecycle.states import FINAL
from loopyard.devbox.service import DevboxService
from loopyard.kit.db.database import DatabaseDep
from loopyard.kit.http.parts import part
from loopyard.kit.http.wire import ShortText
from loopyard.model_usage import service
from loopyard.model_usage.ledger import Ledger
from loopyard.model_usage.schemas import ModelUsageView

router = APIRouter(prefix="/v1", tags=["model usage"])


@router.get("/devboxes/{id}/model_usage", operation_id="devboxes.model_usage")
async def of_devbox(
    id: ShortText,
    caller: CallerDep,
    database: DatabaseDep,
    ledger: Annotated[Ledger, Depends(part(Ledger))],
    devboxes: Annotated[DevboxService, Depends(part(DevboxService))],
) -> ModelUsageView:
    """Retrieve the usage of models by a devbox through gateways until now."""
    async with database.read() as session:
        devbox = await devboxes.get(session, caller.account_id, id)
    await (ledger.settle([devbox.id]) if devbox.status in FINAL else ledger.flush())
    async with database.read() as session:
        return await service.of_devbox(session, devbox.id)
