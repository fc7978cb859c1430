"""Trends and seasons: what a series does by the clock, whatever its variables do."""

from jaxcause.series._trend.find import find_trend as find_trend
from jaxcause.series._trend.parts import Trend as Trend
from jaxcause.series._trend.parts import detrended as detrended
