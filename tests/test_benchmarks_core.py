"""The parts of a search that `benchmarks core` times are those of `jaxcause.pc`."""

import numpy as np

import jaxcause as jc
from benchmarks.core import problems, searches


def test_skeleton_and_orientation_are_those_of_pc():
    test = problems.gaussian_test(problems.dag_corr(20), problems.N_SAMPLES)
    whole = jc.pc(test, alpha=problems.ALPHA, sepset="first")
    found = searches.skeleton(test)
    np.testing.assert_array_equal(found.adjacency[0], np.asarray(whole.graph.marks) != 0)
    np.testing.assert_array_equal(searches.orientation(test, found)()[0], whole.graph.marks)
