"""Path A: from attention arrays, of any framework, to causal graphs and explanations."""

from jaxcause.attention._abcd import abcd as abcd
from jaxcause.attention._baselines import explain_by_subsets as explain_by_subsets
from jaxcause.attention._baselines import explain_exhaustively as explain_exhaustively
from jaxcause.attention._baselines import explain_in_order as explain_in_order
from jaxcause.attention._cleann import cleann as cleann
from jaxcause.attention._correlation import correlation as correlation
from jaxcause.attention._heads import HeadConsensus as HeadConsensus
from jaxcause.attention._heads import head_consensus as head_consensus
from jaxcause.attention._heads import structural_confidence as structural_confidence
from jaxcause.attention._queries import Explanation as Explanation
from jaxcause.attention._queries import Explanations as Explanations
from jaxcause.attention._scores import attention_received as attention_received
from jaxcause.attention._scores import attention_rollout as attention_rollout
from jaxcause.attention._scores import input_x_gradient as input_x_gradient
from jaxcause.attention._scores import leave_one_out as leave_one_out
from jaxcause.attention._stream import abcd_stream as abcd_stream
from jaxcause.attention._words import WordAttention as WordAttention
from jaxcause.attention._words import merge_word_pieces as merge_word_pieces
from jaxcause.stats import partial_correlations as partial_correlations
