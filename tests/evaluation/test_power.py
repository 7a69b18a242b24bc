"""Power: what simulated studies show, and the smallest number that is enough."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_ind

from effifusion_lite.evaluation.power import count_needed, power


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize(("gain", "count"), [(0.0, 3), (0.03, 3), (0.03, 8), (-0.05, 4)])
def test_power_is_the_share_of_simulated_studies(gain, count, paired):
    draw = np.random.default_rng(1)
    first, second = draw.normal(0, 0.02, (2, count, 20000))
    test = ttest_1samp(first + gain, 0) if paired else ttest_ind(first + gain, second)
    assert power(gain, 0.02, count, paired) == pytest.approx(np.mean(test.pvalue < 0.05), abs=0.012)


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("gain", [1e-9, 0.01, 0.03, 0.05, 0.08, 0.1, 1.0])
def test_power_grows_with_the_number(gain, paired):
    """SciPy's noncentral t distribution is NaN at some of these places: 0.05 with 2 pairs."""
    grown = [power(gain, 0.0088, count, paired) for count in range(2, 60)]
    assert 0.05 - 1e-9 <= grown[0] and grown[-1] <= 1
    assert min(np.diff(grown)) >= -1e-9
    assert grown[:40:8] == pytest.approx(
        [power(-gain, 0.0088, count, paired) for count in range(2, 42, 8)]
    )


@pytest.mark.parametrize(("gain", "count"), [(0.05, 2), (0.08, 2), (0.05, 3), (0.05, 4)])
def test_power_where_noncentral_t_fails(gain, count):
    differences = np.random.default_rng(2).normal(gain, 0.0088, (20000, count))
    share = np.mean(ttest_1samp(differences, 0, axis=1).pvalue < 0.05)
    assert power(gain, 0.0088, count, paired=True) == pytest.approx(share, abs=0.012)


def test_two_pairs_are_not_enough_for_a_gain_of_six_spreads():
    assert count_needed(0.05, 0.0088, paired=True) == 3


def test_a_stricter_level_shows_less():
    draw = np.random.default_rng(5).normal(0, 0.02, (2, 20000, 6))
    found = ttest_ind(draw[0] + 0.03, draw[1], axis=1).pvalue
    assert power(0.03, 0.02, 6, level=0.05 / 3) == pytest.approx(
        np.mean(3 * found < 0.05), abs=0.012
    )
    assert power(0, 0.02, 6, level=0.01) == 0.01


def test_fewest_is_enough_and_one_less_is_not():
    for gain, paired in ((0.03, False), (0.01, False), (0.03, True), (0.2, True)):
        count = count_needed(gain, 0.02, paired)
        assert power(gain, 0.02, count, paired) >= 0.8
        assert count == 2 or power(gain, 0.02, count - 1, paired) < 0.8
    assert count_needed(0.03, 0.02, wanted=0.95) > count_needed(0.03, 0.02)


def test_rule_of_thumb_for_many():
    assert count_needed(0.01, 0.05) == pytest.approx(16 * 25, rel=0.03)


def test_studies_that_cannot_be():
    with pytest.raises(ValueError, match="spread above 0"):
        power(0.1, 0.0, 5)
    with pytest.raises(ValueError, match="2 results, not 1$"):
        power(0.1, 1.0, 1)
    with pytest.raises(ValueError, match="between 0 and 1, not at 5$"):
        power(0.1, 1.0, 3, level=5)
    with pytest.raises(ValueError, match="more than 100000"):
        count_needed(0.0001, 1.0)
