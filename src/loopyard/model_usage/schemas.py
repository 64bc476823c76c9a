"""The words for what calls of models have used: in answers of the API, in manifests, and in files of results."""

from pydantic import Field

from loopyard.kit.http.wire import View


class ModelSumsView(View):
    """Calls, and what they used. Where `cut_off`, `untold` or `unpriced` is not 0, more was used than these numbers."""

    calls: int = Field(description="Calls that were let pass: the sum of the next four.")
    counted: int = Field(description="Those whose tokens are known.")
    cut_off: int = Field(description="Those that broke off before all tokens were told; what was told is counted.")
    untold: int = Field(description="Those whose answers tell no tokens.")
    failed: int = Field(description="Those that the upstream answered with an error, which uses nothing.")
    unpriced: int = Field(description="Those with tokens but without a known price.")
    input_tokens: int = Field(description="With those read from and written to the upstream's cache.")
    output_tokens: int = Field(description="With those of reasoning.")
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_usd: float | None = Field(description="Null where no call has a known price.")


class ModelView(ModelSumsView):
    """The same for one model at one upstream."""

    model: str | None = Field(description="As its answers name it; null where they do not.")
    host: str
    api: str


class BudgetView(View):
    """Budget of a run, and whether a call was refused because of it."""

    max_cost_usd: float | None
    max_tokens: int | None
    refused: bool


class ModelUsageView(ModelSumsView):
    """Usage of models by all calls of a devbox through gateways."""

    models: list[ModelView]
    budget: BudgetView | None


class RunModelUsageView(View):
    """Usage of one scenario run."""

    scenario_run_id: str
    model_usage: ModelUsageView


class RunModelUsageListView(View):
    runs: list[RunModelUsageView]
    has_more: bool
