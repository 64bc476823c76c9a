"""Every table of the project in one place, for the migrations."""

import importlib

from sqlalchemy import MetaData

from loopyard.store.base import Base

_MODEL_MODULES = (
    "loopyard.identity.models",
    "loopyard.kit.idempotency",
    "loopyard.agent.models",
    "loopyard.agent.layer.models",
    "loopyard.devbox.models",
    "loopyard.devbox.execution.models",
    "loopyard.devbox.ssh.models",
    "loopyard.pty.models",
    "loopyard.model_usage.models",
    "loopyard.network_policy.models",
    "loopyard.gateway_config.models",
    "loopyard.mcp_config.models",
    "loopyard.upstream_proxy.models",
    "loopyard.devbox.log.models",
    "loopyard.snapshot.models",
    "loopyard.blueprint.models",
    "loopyard.secret.models",
    "loopyard.object.models",
    "loopyard.scenario.models",
    "loopyard.scenario.run.models",
    "loopyard.scorer.registered.models",
    "loopyard.benchmark.models",
    "loopyard.benchmark.run.models",
    "loopyard.benchmark_job.models",
    "loopyard.benchmark_job.trial.models",
    "loopyard.axon.models",
    "loopyard.broker.models",
)


def metadata() -> MetaData:
    """The tables as the code wants them."""
    for module in _MODEL_MODULES:
        importlib.import_module(module)
    return Base.metadata
