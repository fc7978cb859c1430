"""Regimes of a series: stretches of time in which different mechanisms are at work."""

from jaxcause.series._regimes.find import Regimes as Regimes
from jaxcause.series._regimes.find import find_regimes as find_regimes
