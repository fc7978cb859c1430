"""The one-call entry points."""

from jaxcause.workflows._demo import Demo as Demo
from jaxcause.workflows._demo import run_demo as run_demo
from jaxcause.workflows._discover import METHODS as METHODS
from jaxcause.workflows._discover import discover as discover
from jaxcause.workflows._explain import explain as explain
from jaxcause.workflows._explanation import TextExplanation as TextExplanation
from jaxcause.workflows._forecaster import DiscoveryInterrupted as DiscoveryInterrupted
from jaxcause.workflows._forecaster import TrainedForecaster as TrainedForecaster
from jaxcause.workflows._refine import Refined as Refined
from jaxcause.workflows._refine import refine as refine
from jaxcause.workflows._result import Discovery as Discovery
from jaxcause.workflows._text_model import TextModel as TextModel
from jaxcause.workflows._write import write_discovery as write_discovery
from jaxcause.workflows._write_explanation import write_explanation as write_explanation
from jaxcause.workflows._write_explanation import write_explanations as write_explanations
