"""GPT-2."""

from jaxcause.models.gpt2.modeling import GPT2 as GPT2
from jaxcause.models.gpt2.modeling import GPT2Config as GPT2Config
