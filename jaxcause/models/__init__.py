"""Transformers in flax.nnx, offered to other modules as pure functions of their parameters."""

from jaxcause.models._loading import load_pretrained as load_pretrained
from jaxcause.models._output import ModelOutput as ModelOutput
from jaxcause.models._pretrained import Pretrained as Pretrained
from jaxcause.models._pretrained import new_bert4rec as new_bert4rec
from jaxcause.models._saving import save_pretrained as save_pretrained
from jaxcause.models.bert4rec.modeling import BERT4RecConfig as BERT4RecConfig
