"""Correlations, conditional independence tests, linear autoregression, multiple testing."""

from jaxcause.stats._covariance import condition_number as condition_number
from jaxcause.stats._covariance import correlation_matrix as correlation_matrix
from jaxcause.stats._fisher_z import fisher_z_p_value as fisher_z_p_value
from jaxcause.stats._multiple_testing import benjamini_hochberg as benjamini_hochberg
from jaxcause.stats._partial_correlation import PartialCorrelationTest as PartialCorrelationTest
from jaxcause.stats._partial_correlation import (
    partial_correlation_test as partial_correlation_test,
)
from jaxcause.stats._partial_correlation import (
    partial_correlation_test_from_data as partial_correlation_test_from_data,
)
from jaxcause.stats._subsets import colex_subsets as colex_subsets
from jaxcause.stats._vector_autoregression import VarFit as VarFit
from jaxcause.stats._vector_autoregression import fit_var as fit_var
