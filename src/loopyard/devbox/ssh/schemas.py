"""The wire's words for SSH."""

from pydantic import Field

from loopyard.kit.http.wire import View


class DevboxCreateSSHKeyResponse(View):
    id: str = Field(description="The devbox's id.")
    ssh_private_key: str = Field(description="The private key, in PEM. It is shown only this once.")
    ssh_user: str = Field(description="The user to log in as.")
    url: str = Field(description="The host to log in to; `host:port` where the port is not 22.")
