"""What may stand in a configuration: types and ranges, and no traceback whatever a recipe holds."""

import json
import math
from dataclasses import dataclass, fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effifusion_lite.data import MixtureConfig
from effifusion_lite.generator import GeneratorConfig
from effifusion_lite.losses import LossWeights
from effifusion_lite.settings import AT_LEAST_1, RISING, check_fields
from effifusion_lite.spectral import SpectralConfig
from effifusion_lite.training import TrainingConfig, read_recipe


@dataclass(frozen=True)
class Example:
    count: int = 1
    rate: float = 0.5
    name: str = "a"
    switch: bool = True
    pair: tuple[float, float] = (1.0, 2.0)
    counts: tuple[int, ...] = (1, 2)
    widths: dict[str, int] | None = None


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"rate": 1},
        {"pair": (1, 2)},
        {"counts": ()},
        {"widths": {"a": 1}},
        {"widths": None},
    ],
)
def test_what_fits_its_hint_is_taken(values):
    check_fields(Example(**values), {"count": AT_LEAST_1, "counts": AT_LEAST_1, "pair": RISING})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 6.0}, r"count must be a whole number, not 6\.0"),
        ({"count": True}, "count must be a whole number, not True"),
        ({"rate": "1e-3"}, "rate must be a number, not '1e-3'"),
        ({"rate": math.nan}, "rate must be a number, not nan"),
        ({"rate": math.inf}, "rate must be a number, not inf"),
        ({"rate": False}, "rate must be a number, not False"),
        ({"name": 5}, "name must be a text, not 5"),
        ({"switch": 1}, "switch must be true or false, not 1"),
        ({"pair": 5}, "pair must be a list of 2: a number, a number, not 5"),
        ({"pair": (1.0,)}, "pair must be a list of 2"),
        ({"pair": (2.0, 1.0)}, "pair must be a lower and a higher number, in this order"),
        ({"counts": (1, 2.5)}, "counts must be a list, each entry a whole number"),
        ({"counts": (1, 0)}, "counts must be at least 1"),
        ({"widths": {"a": "b"}}, "widths must be a table, each entry a whole number"),
    ],
)
def test_what_does_not_fit_is_named(values, message):
    with pytest.raises(ValueError, match=message):
        check_fields(Example(**values), {"count": AT_LEAST_1, "counts": AT_LEAST_1, "pair": RISING})


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (TrainingConfig, {"clip": -1.0}),
        (TrainingConfig, {"clip": 0.0}),
        (TrainingConfig, {"learning_rate": 0.0}),
        (TrainingConfig, {"weight_decay": -1.0}),
        (TrainingConfig, {"steps": True}),
        (TrainingConfig, {"betas": (0.9,)}),
        (TrainingConfig, {"betas": (0.9, 1.0)}),
        (TrainingConfig, {"seed": -1}),
        (TrainingConfig, {"label_workers": 0}),
        (TrainingConfig, {"ema": 1.0}),
        (TrainingConfig, {"losses": LossWeights(0, 0, 0, 0, 0, 0, 0)}),
        (MixtureConfig, {"snr_db": (18.0, -3.0)}),
        (MixtureConfig, {"speed": (0.0, 1.0)}),
        (MixtureConfig, {"segment": 0}),
        (MixtureConfig, {"noise_weights": (("rain", -1.0),)}),
        (LossWeights, {"phase": -0.1}),
        (GeneratorConfig, {"channels": 0}),
        (GeneratorConfig, {"dilations": (1, 0)}),
        (SpectralConfig, {"n_fft": 400.0}),
    ],
)
def test_senseless_numbers_are_refused_with_their_key(kind, values):
    [key] = values
    with pytest.raises(ValueError, match="rain" if key == "noise_weights" else key):
        kind(**values)


# Anything that a JSON or TOML file can hold.
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def keys(kind):
    return st.sampled_from([field.name for field in fields(kind)])


RECIPE = st.fixed_dictionaries(
    {"generator": st.sampled_from(["tiny", "lite"]) | ANYTHING},
    optional={
        "mixture": st.dictionaries(keys(MixtureConfig), ANYTHING, max_size=3) | ANYTHING,
        "losses": st.dictionaries(keys(LossWeights), ANYTHING, max_size=3) | ANYTHING,
    },
)


@settings(max_examples=300, deadline=None)
@given(RECIPE, st.dictionaries(keys(TrainingConfig), ANYTHING, max_size=3))
def test_no_recipe_leads_to_another_error_than_a_sentence(tmp_path_factory, recipe, more):
    path = tmp_path_factory.getbasetemp() / "recipe.json"
    path.write_text(json.dumps(more | recipe))
    try:
        config = read_recipe(path)
    except ValueError as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        assert isinstance(config, TrainingConfig)
