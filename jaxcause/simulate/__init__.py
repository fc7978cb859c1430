"""Data with known graphs."""

from jaxcause.simulate._dags import random_dag as random_dag
from jaxcause.simulate._sem import linear_sem as linear_sem
from jaxcause.simulate._var import SimulatedSeries as SimulatedSeries
from jaxcause.simulate._var import lorenz96 as lorenz96
from jaxcause.simulate._var import vector_autoregression as vector_autoregression
