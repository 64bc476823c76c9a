"""On the fake runtime: files read and written from outside, with the rights of the sandbox's user."""

from tests.integration.runtime.conformance.test_sandbox_files import *  # noqa: F403
