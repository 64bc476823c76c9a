"""The request that makes a job like one that there was."""

from typing import Any

from loopyard.benchmark_job.models import BenchmarkJob
from loopyard.benchmark_job.spec import BenchmarkJobCreateParams


def params_of(job: BenchmarkJob) -> BenchmarkJobCreateParams:
    """Parameters of a job with the same name, source, agents and settings. A benchmark's scenarios are those that it
    has by then."""
    spec: dict[str, Any] = {"type": job.source["type"]}
    match job.source["type"]:
        case "harbor":
            spec["inline_yaml"] = job.source["inline_yaml"]
        case "benchmark":
            spec["benchmark_id"] = job.source["benchmark_id"]
        case _:
            spec["scenario_ids"] = job.source["scenario_ids"]
    if job.spec is not None:
        spec |= {name: job.spec[name] for name in ("agent_configs", "orchestrator_config") if name in job.spec}
    return BenchmarkJobCreateParams.model_validate({"name": job.name, "spec": spec})
