"""/healthz: whether the server answers and its store does."""

from fastapi import APIRouter
from sqlalchemy import text

from loopyard.kit.db.database import ReadSession
from loopyard.kit.http.wire import View
from loopyard.version import VERSION

router = APIRouter(tags=["health"])


class HealthView(View):
    status: str
    version: str


@router.get("/healthz", operation_id="health")
async def healthz(session: ReadSession) -> HealthView:
    """Answers once the server has started and can read its store. Needs no key."""
    await session.execute(text("SELECT 1"))
    return HealthView(status="ok", version=VERSION)
