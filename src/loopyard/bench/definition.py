"""Contents of `scenario.toml` and `benchmark.toml`."""

import math
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from loopyard.bench.parts import FilledText, Part, ScriptText, SolutionText, Text, find_folder
from loopyard.bench.scorers import Filled, ScoringFunction

DEFAULT_SCORER_TIMEOUT_SEC = 1800
WEIGHT_TOLERANCE = 1e-6

SizeName = Literal["X_SMALL", "SMALL", "MEDIUM", "LARGE", "X_LARGE", "XX_LARGE", "CUSTOM_SIZE"]


class UserParameters(Part):
    """The Linux user of the box."""

    uid: Annotated[int, Field(ge=0)]
    username: Filled


class Gateway(Part):
    """An upstream that the box calls with a credential that it does not see; both by name or id."""

    gateway: Filled
    secret: Filled


class LaunchParameters(Part):
    """The wire's LaunchParameters, as far as a scenario needs them."""

    resource_size_request: SizeName | None = None
    custom_cpu_cores: Annotated[float, Field(gt=0)] | None = None
    custom_gb_memory: Annotated[int, Field(gt=0)] | None = None
    custom_disk_size: Annotated[int, Field(gt=0)] | None = None
    architecture: Literal["x86_64", "arm64"] | None = None
    gateways: dict[str, Gateway] | None = None
    """By the variable that the box has the token in."""
    keep_alive_time_seconds: Annotated[int, Field(gt=0)] | None = None
    launch_commands: list[Filled] | None = None
    """Run one after another before the box is `running`: they set up what the agent finds."""
    network_policy_id: str | None = None
    user_parameters: UserParameters | None = None


def _folder(value: Any, info: ValidationInfo) -> Any:
    return find_folder(cast("dict[str, Path]", info.context)["folder"], value)


class Environment(Part):
    """Where the agent works. At most one of `dockerfile`, `blueprint_id` and `snapshot_id`."""

    text_keys: ClassVar[tuple[str, ...]] = ("dockerfile",)
    working_directory: Annotated[str, Field(pattern=r"^/")] | None = None
    """An absolute path in the box. The agent starts and the scorers run there. Default: the image's WORKDIR, else the
    user's home."""
    blueprint_id: str | None = None
    snapshot_id: str | None = None
    dockerfile: ScriptText | None = None
    """A blueprint is built from it before the first run, and kept for the next ones."""
    build_context: Annotated[Path, BeforeValidator(_folder)] | None = None
    """Folder in the scenario's own that the Dockerfile copies from."""
    build_args: dict[str, str] | None = None
    """Values of the Dockerfile's ARGs."""
    allowed_hostnames: list[Filled] | None = None
    """The hosts that the box may reach, `*.` for any label before the rest; none at all for an empty list."""
    launch_parameters: LaunchParameters | None = None

    @property
    def calls_gateways(self) -> bool:
        """True if the box calls upstreams through gateways."""
        return self.launch_parameters is not None and bool(self.launch_parameters.gateways)

    @model_validator(mode="after")
    def _one_origin(self) -> "Environment":
        given = [name for name in ("dockerfile", "blueprint_id", "snapshot_id") if getattr(self, name) is not None]
        if self.dockerfile is not None and len(given) > 1:
            raise ValueError(f"give only one of {' and '.join(given)}")
        if self.build_context is not None and self.dockerfile is None:
            raise ValueError("build_context is for a dockerfile; give one too")
        if self.build_args and self.dockerfile is None:
            raise ValueError("build_args are for a dockerfile; give one too")
        launch = self.launch_parameters
        if self.allowed_hostnames is not None and launch is not None and launch.network_policy_id is not None:
            raise ValueError("give only one of allowed_hostnames and launch_parameters.network_policy_id")
        return self


class ReferenceOutput(Part):
    """A known solution: a bash script, or a patch for `git apply`; both are applied in the working directory."""

    text_keys: ClassVar[tuple[str, ...]] = ("contents",)
    type: Literal["script", "patch"]
    contents: SolutionText


class ScenarioDefinition(Part):
    """Contents of a `scenario.toml`."""

    text_keys: ClassVar[tuple[str, ...]] = ("problem_statement",)
    name: Filled
    problem_statement: FilledText
    additional_context: Any = None
    environment: Environment = Environment()
    scoring_functions: Annotated[list[ScoringFunction], Field(min_length=1)]
    reference_output: ReferenceOutput | None = None
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    required_environment_variables: list[Filled] = Field(default_factory=list[str])
    required_secret_names: list[Filled] = Field(default_factory=list[str])
    scorer_timeout_sec: Annotated[int, Field(gt=0)] = DEFAULT_SCORER_TIMEOUT_SEC
    validation_type: Literal["UNSPECIFIED", "FORWARD", "REVERSE", "EVALUATION"] = "UNSPECIFIED"

    @field_validator("scoring_functions")
    @classmethod
    def _sound(cls, functions: list[ScoringFunction]) -> list[ScoringFunction]:
        names = [function.name for function in functions]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the name {twice[0]!r} is given twice; scoring functions need names of their own")
        total = math.fsum(function.weight for function in functions)
        if abs(total - 1) > WEIGHT_TOLERANCE:
            raise ValueError(f"the weights sum to {total:g}; change them so that they sum to 1.0")
        return functions


class BenchmarkDefinition(Part):
    """The optional `benchmark.toml` of a set of scenarios."""

    text_keys: ClassVar[tuple[str, ...]] = ("description",)
    name: Filled
    description: Text = ""
