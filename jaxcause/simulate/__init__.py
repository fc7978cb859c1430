"""Data with known graphs."""

from jaxcause.simulate._dags import random_dag as random_dag
from jaxcause.simulate._sem import linear_sem as linear_sem
from jaxcause.simulate._sortability import r2_sortability as r2_sortability
from jaxcause.simulate._sortability import sortability as sortability
from jaxcause.simulate._sortability import variance_sortability as variance_sortability
from jaxcause.simulate._system import LaggedSystem as LaggedSystem
from jaxcause.simulate._system import lagged_system as lagged_system
from jaxcause.simulate._var import SimulatedSeries as SimulatedSeries
from jaxcause.simulate._var import lorenz96 as lorenz96
from jaxcause.simulate._var import lorenz96_flow as lorenz96_flow
from jaxcause.simulate._var import vector_autoregression as vector_autoregression
from jaxcause.simulate._variance import VarianceSystem as VarianceSystem
from jaxcause.simulate._variance import variance_parents as variance_parents
