"""/v1/scenarios/runs/{id}/model_usage: usage of models by a scenario run."""

from typing import Annotated

from fastapi import APIRouter, Depends

from loopyard.auth.caller import CallerDep
from loopyard.kit.db.database import DatabaseDep
from loopyard.kit.http.parts import part
from loopyard.kit.http.wire import ShortText
from loopyard.model_usage import service as model_usage
from loopyard.model_usage.ledger import Ledger
from loopyard.model_usage.schemas import ModelUsageView
from loopyard.scenario.run.service import RunService
from loopyard.scenario.run.states import FINAL

router = APIRouter(prefix="/v1/scenarios", tags=["model usage"])


@router.get("/runs/{id}/model_usage", operation_id="scenarios.runs.model_usage")
async def of_run(
    id: ShortText,
    caller: CallerDep,
    database: DatabaseDep,
    ledger: Annotated[Ledger, Depends(part(Ledger))],
    runs: Annotated[RunService, Depends(part(RunService))],
) -> ModelUsageView:
    """Retrieve the usage of models by a scenario run through gateways until now."""
    async with database.read() as session:
        run = await runs.get(session, caller.account_id, id)
    await (ledger.settle([run.devbox_id]) if run.state in FINAL else ledger.flush())
    async with database.read() as session:
        return await model_usage.of_devbox(session, run.devbox_id)
