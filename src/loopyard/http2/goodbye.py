"""GOAWAY handling that `h2` lacks."""

from h2.connection import ConnectionInputs, ConnectionState, H2ConnectionStateMachine
from h2.events import Event


class LenientStateMachine(H2ConnectionStateMachine):
    """A client that says goodbye still waits for the answers to what it has asked (RFC 9113, 6.8), and tells what it
    has read of them. `h2` takes a goodbye for the end of all."""

    def process_input(self, input_: ConnectionInputs) -> list[Event]:
        if input_ is ConnectionInputs.RECV_GOAWAY and self.state is ConnectionState.SERVER_OPEN:
            return []
        return super().process_input(input_)
