"""The one-call entry points."""

from jaxcause.workflows._demo import Demo as Demo
from jaxcause.workflows._demo import run_demo as run_demo
from jaxcause.workflows._discover.call import METHODS as METHODS
from jaxcause.workflows._discover.call import discover as discover
from jaxcause.workflows._discover.forecaster import DiscoveryInterrupted as DiscoveryInterrupted
from jaxcause.workflows._discover.forecaster import TrainedForecaster as TrainedForecaster
from jaxcause.workflows._discover.result import Discovery as Discovery
from jaxcause.workflows._discover.write import write_discovery as write_discovery
from jaxcause.workflows._explain.call import explain as explain
from jaxcause.workflows._explain.result import TextExplanation as TextExplanation
from jaxcause.workflows._explain.text_model import TextModel as TextModel
from jaxcause.workflows._explain.write import write_explanation as write_explanation
from jaxcause.workflows._explain.write import write_explanations as write_explanations
