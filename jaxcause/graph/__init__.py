"""Graphs, background knowledge about them, and pure queries on them."""

from jaxcause.graph._ancestral import ancestor_matrix as ancestor_matrix
from jaxcause.graph._ancestral import dag_to_mag as dag_to_mag
from jaxcause.graph._causal_graph import CausalGraph as CausalGraph
from jaxcause.graph._cycles import cyclic_edges as cyclic_edges
from jaxcause.graph._equivalence import dag_to_cpdag as dag_to_cpdag
from jaxcause.graph._equivalence import mag_to_pag as mag_to_pag
from jaxcause.graph._knowledge import BackgroundKnowledge as BackgroundKnowledge
from jaxcause.graph._lagged_graph import LaggedGraph as LaggedGraph
from jaxcause.graph._marks import Mark as Mark
from jaxcause.graph._marks import edge_marks as edge_marks
from jaxcause.graph._marks import edge_symbol as edge_symbol
from jaxcause.graph._separation import MagOracleTest as MagOracleTest
from jaxcause.graph._separation import OracleTest as OracleTest
from jaxcause.graph._separation import mag_oracle_test as mag_oracle_test
from jaxcause.graph._separation import oracle_test as oracle_test
from jaxcause.graph._sepsets import SepSets as SepSets
