"""Options that several functions share are shown by each, with their types and descriptions."""

import inspect
import re

import numpy as np
import pytest

import jaxcause as jc
from jaxcause import attribution, discovery
from jaxcause.attribution._stream import ReadoutOptions
from jaxcause.discovery._pcmci.problem import LinkOptions
from jaxcause.discovery._problem import PagSearchOptions, SearchOptions

SHARING = {
    jc.pc: SearchOptions,
    jc.fci: PagSearchOptions,
    jc.icd: PagSearchOptions,
    discovery.pcmci: LinkOptions,
    discovery.pcmci_plus: LinkOptions,
    attribution.gradient_energy: ReadoutOptions,
    attribution.mean_gradient: ReadoutOptions,
    attribution.input_x_gradient: ReadoutOptions,
    attribution.relevance: ReadoutOptions,
    attribution.score_energy: ReadoutOptions,
    attribution.rank_mean_over_std: ReadoutOptions,
}


@pytest.mark.parametrize("function", SHARING, ids=lambda f: f.__name__)
def test_the_signature_lists_each_option_with_its_default(function):
    parameters = inspect.signature(function).parameters
    for name in SHARING[function].__annotations__:
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[name].default is not inspect.Parameter.empty
    assert all(p.kind is not inspect.Parameter.VAR_KEYWORD for p in parameters.values())


@pytest.mark.parametrize("function", SHARING, ids=lambda f: f.__name__)
def test_the_docstring_describes_every_argument_once_in_the_order_of_the_signature(function):
    section = inspect.getdoc(function).split("Args:\n")[1].split("\n\n")[0]
    described = re.findall(r"^    (\w+): \S", section, flags=re.MULTILINE)
    assert described == list(inspect.signature(function).parameters)


@pytest.mark.parametrize("function", SHARING, ids=lambda f: f.__name__)
def test_an_unknown_option_is_an_error_of_the_function_that_was_called(function):
    with pytest.raises(TypeError, match=rf"{function.__name__}\(\) has no argument alhpa; it has"):
        function(np.eye(3), alhpa=0.1)


def test_what_type_checkers_read_is_what_the_functions_take():
    """Names in a `TypedDict` have the types of the function that they are passed on to."""
    for function, options in SHARING.items():
        parameters = inspect.signature(function).parameters
        for name, annotation in options.__annotations__.items():
            assert str(parameters[name].annotation) == str(annotation), (function.__name__, name)
