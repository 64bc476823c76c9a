"""/v1/devboxes/{id}/create_ssh_key: a key to log in to a devbox with."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from loopyard.auth.caller import CallerDep
from loopyard.devbox.ssh.keys import SshKeys
from loopyard.devbox.ssh.schemas import DevboxCreateSSHKeyResponse
from loopyard.kit.db.database import WriteSession
from loopyard.kit.http.parts import part

router = APIRouter(prefix="/v1/devboxes", tags=["ssh"])


@router.post("/{id}/create_ssh_key", operation_id="devboxes.create_ssh_key")
async def create_ssh_key(
    id: str,
    request: Request,
    caller: CallerDep,
    session: WriteSession,
    keys: Annotated[SshKeys, Depends(part(SshKeys))],
) -> DevboxCreateSSHKeyResponse:
    """Make a new key for a running devbox. It opens that devbox only, and ends with it."""
    return await keys.create(session, caller.account_id, id, request.url.hostname or "localhost")
