import numpy as np
import pytest

from jaxcause.workflows._discover.hidden import simultaneous_errors

NAMES = tuple("abcdefghij")


def errors(seed, n_rows=10_000, related=0.0):
    made = np.random.default_rng(seed).normal(size=(n_rows, len(NAMES)))
    made[:, 7] += related * made[:, 2]
    return made


@pytest.mark.parametrize("seed", range(20))
def test_unrelated_errors_are_not_told_of(seed):
    assert simultaneous_errors(errors(seed), NAMES) is None
    assert simultaneous_errors(errors(seed, n_rows=50), NAMES) is None


@pytest.mark.parametrize("sign", [1, -1])
def test_the_pair_is_named(sign):
    found = simultaneous_errors(errors(0, related=0.2 * sign), NAMES)
    assert found["pair"] == ["c", "h"]
    assert (found["n_pairs"], found["n_tested"]) == (1, 45)
    assert found["correlation"] == pytest.approx(0.196 * sign, abs=0.03)


def test_small_correlations_are_never_told_of():
    assert simultaneous_errors(errors(0, n_rows=500_000, related=0.03), NAMES) is None


def test_rows_with_missing_values_and_constant_errors():
    given = errors(0, related=0.5)
    given[::2, 4] = np.nan
    given[:, 5] = 0.0
    assert simultaneous_errors(given, NAMES)["pair"] == ["c", "h"]
    assert simultaneous_errors(given[:40], NAMES) is None
    assert simultaneous_errors(given[:, :1], NAMES[:1]) is None
