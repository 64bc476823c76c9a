"""List of the features of a server. A new resource adds its own here, after those that it uses."""

from collections.abc import Callable

from loopyard.account import feature as account
from loopyard.agent import feature as agent
from loopyard.audit import feature as audit
from loopyard.auth import feature as auth
from loopyard.axon import feature as axon
from loopyard.benchmark import feature as benchmark
from loopyard.benchmark.run import feature as benchmark_run
from loopyard.benchmark_job import feature as benchmark_job
from loopyard.blueprint import feature as blueprint
from loopyard.broker import feature as broker
from loopyard.config import Settings
from loopyard.console import feature as console
from loopyard.devbox import answers as devbox_answers
from loopyard.devbox import feature as devbox
from loopyard.devbox.log import feature as devbox_log
from loopyard.devbox.ssh import feature as ssh
from loopyard.devbox.tunnel import feature as tunnel
from loopyard.feature import Feature, Server
from loopyard.gateway import feature as gateway
from loopyard.gateway_process import feature as proxy_program
from loopyard.key import feature as key
from loopyard.mcp_hub import feature as mcp_hub
from loopyard.model_usage import feature as model_usage
from loopyard.network_policy import feature as network_policy
from loopyard.object import feature as objects
from loopyard.pty import feature as pty
from loopyard.scenario import feature as scenario
from loopyard.scorer.registered import feature as scorer
from loopyard.secret import feature as secret
from loopyard.snapshot import feature as snapshot
from loopyard.upkeep import feature as upkeep

FEATURES: tuple[Callable[[Server, Settings], Feature], ...] = (
    devbox_answers.build,
    proxy_program.build,
    auth.build,
    key.build,
    account.build,
    audit.build,
    secret.build,
    objects.build,
    network_policy.build,
    axon.build,
    devbox_log.build,
    model_usage.build,
    gateway.build,
    mcp_hub.build,
    agent.build,
    snapshot.build,
    devbox.build,
    blueprint.build,
    ssh.build,
    tunnel.build,
    pty.build,
    broker.build,
    scorer.build,
    benchmark_run.build,
    scenario.build,
    benchmark.build,
    benchmark_job.build,
    upkeep.build,
    console.build,
)
"""Builders in order: each may use what those before it offer."""
