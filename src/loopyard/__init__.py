"""Loopyard: self-hosted agent sandboxes and agent evaluation behind the Runloop API."""
