"""Environment variables that no program can be started with are told before anything is made."""

import pytest

from loopyard.kit.errors import BadRequest
from loopyard.kit.host.environment import MOST_ENVIRONMENT_BYTES, MOST_VARIABLE_BYTES, check_environment, check_sizes


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"BIG": "x" * (MOST_VARIABLE_BYTES - 3)},
        {"BIG": "漢" * ((MOST_VARIABLE_BYTES - 3) // 3)},
        {"my.var-1": "", "npm_config_//host/:_token": "a=b\nc", "ünï": "x"},
        {f"V{number:02}": "x" * 100_000 for number in range(18)},
    ],
)
def test_what_the_kernel_takes_is_fine(variables: dict[str, str]) -> None:
    check_environment(variables, "field")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"BIG": "x" * 140_000}, "the variable BIG has 140,003 bytes"),
        ({"BIG": "x" * (MOST_VARIABLE_BYTES - 2)}, "131,070"),
        ({"BIG": "漢" * 50_000}, "150,003 bytes"),
        ({"N" * 131_071: ""}, "131,071 bytes"),
        ({f"V{number:02}": "x" * 100_000 for number in range(19)}, "all variables together"),
        ({str(number): "" for number in range(200_000)}, "all variables together"),
        ({"": "x"}, "empty name"),
        ({"A=B": "x"}, "an equals sign"),
        ({"A\0": "x"}, "a NUL character"),
        ({"A": "x\0y"}, "a NUL character"),
        ({"A B": "x"}, "white space"),
        ({"A\n": "x"}, "white space"),
        ({"A": "\ud800"}, "Unicode"),
        ({"\ud800": "x"}, "Unicode"),
    ],
)
def test_what_it_does_not_take_is_refused_by_name(variables: dict[str, str], said: str) -> None:
    with pytest.raises(BadRequest) as refused:
        check_environment(variables, "environment_variables")
    assert refused.value.field == "environment_variables"
    assert refused.value.message.startswith("environment_variables: ")
    assert said in refused.value.message
    assert len(refused.value.message) < 400


def test_sizes_of_values_that_are_not_shown_count_alike() -> None:
    check_sizes({"A": 65_536}, "secrets")
    for sizes in ({"A": MOST_VARIABLE_BYTES}, {f"A{number}": 65_536 for number in range(MOST_ENVIRONMENT_BYTES >> 16)}):
        with pytest.raises(BadRequest):
            check_sizes(sizes, "secrets")
