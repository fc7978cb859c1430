"""Correlations, conditional independence tests, linear regressions, multiple testing."""

from jaxcause.stats._covariance import condition_number as condition_number
from jaxcause.stats._covariance import correlation_matrix as correlation_matrix
from jaxcause.stats._definite import clip_eigenvalues as clip_eigenvalues
from jaxcause.stats._definite import is_singular as is_singular
from jaxcause.stats._definite import singular_pairs as singular_pairs
from jaxcause.stats._fisher_z import fisher_z_p_value as fisher_z_p_value
from jaxcause.stats._from_data import (
    partial_correlation_test_from_data as partial_correlation_test_from_data,
)
from jaxcause.stats._from_data import (
    rank_correlation_test_from_data as rank_correlation_test_from_data,
)
from jaxcause.stats._multiple_testing import benjamini_hochberg as benjamini_hochberg
from jaxcause.stats._multiple_testing import benjamini_yekutieli as benjamini_yekutieli
from jaxcause.stats._multiple_testing import lagged_q_values as lagged_q_values
from jaxcause.stats._pairwise import PairwiseCorrelation as PairwiseCorrelation
from jaxcause.stats._pairwise import pairwise_correlation as pairwise_correlation
from jaxcause.stats._partial_correlation import PartialCorrelationTest as PartialCorrelationTest
from jaxcause.stats._partial_correlation import (
    partial_correlation_test as partial_correlation_test,
)
from jaxcause.stats._partial_correlation import partial_correlations as partial_correlations
from jaxcause.stats._ranks import rank_correlation as rank_correlation
from jaxcause.stats._redundant_columns import RedundantColumns as RedundantColumns
from jaxcause.stats._redundant_columns import redundant_columns as redundant_columns
from jaxcause.stats._redundant_columns import redundant_in as redundant_in
from jaxcause.stats._regression.changing_noise import NoiseWeights as NoiseWeights
from jaxcause.stats._regression.changing_noise import noise_weights as noise_weights
from jaxcause.stats._regression.changing_noise import weighted_evidence as weighted_evidence
from jaxcause.stats._regression.changing_noise import weighted_tests as weighted_tests
from jaxcause.stats._regression.instrumental import InstrumentalFit as InstrumentalFit
from jaxcause.stats._regression.instrumental import (
    instrumental_regression as instrumental_regression,
)
from jaxcause.stats._regression.lasso import LassoFit as LassoFit
from jaxcause.stats._regression.lasso import fit_lasso_var as fit_lasso_var
from jaxcause.stats._regression.linear_links import FEW_TO_TEST as FEW_TO_TEST
from jaxcause.stats._regression.linear_links import linear_evidence as linear_evidence
from jaxcause.stats._regression.linear_links import linear_tests as linear_tests
from jaxcause.stats._regression.linear_links import windows_per_term as windows_per_term
from jaxcause.stats._regression.ridge_path import blocks_in_time as blocks_in_time
from jaxcause.stats._regression.ridge_path import ridge_beside_own_past as ridge_beside_own_past
from jaxcause.stats._regression.ridge_path import ridge_path_evidence as ridge_path_evidence
from jaxcause.stats._regression.shared_past import shared_own_past as shared_own_past
from jaxcause.stats._regression.slopes_by_part import SlopesByPart as SlopesByPart
from jaxcause.stats._regression.slopes_by_part import slopes_by_part as slopes_by_part
from jaxcause.stats._regression.stepwise import stepwise_var as stepwise_var
from jaxcause.stats._regression.vector_autoregression import VarFit as VarFit
from jaxcause.stats._regression.vector_autoregression import VarMoments as VarMoments
from jaxcause.stats._regression.vector_autoregression import fit_var as fit_var
from jaxcause.stats._regression.vector_autoregression import var_moments as var_moments
from jaxcause.stats._shrinkage import shrink_correlation as shrink_correlation
from jaxcause.stats._shrinkage import shrinkage_intensity as shrinkage_intensity
from jaxcause.stats._subsets import colex_subsets as colex_subsets
from jaxcause.stats._testwise_deletion import DeletionTest as DeletionTest
from jaxcause.stats._testwise_deletion import HoledSamples as HoledSamples
from jaxcause.stats._testwise_deletion import holed_samples as holed_samples
