"""The protocols that agents speak, as state machines between events and frames. They do no input or output."""
