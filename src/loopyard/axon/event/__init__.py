"""The events of axons: published in contiguous sequences, listed, and streamed to subscribers."""
