"""Tiny saved models with a tokeniser of their own."""

import shutil
from pathlib import Path

GOLDENS = Path(__file__).parents[1] / "models" / "goldens"
WORDS = (
    "the old bridge was closed because river had risen during night film is good bad not and plot"
)


def saved_model(name, folder):
    """A golden model, with one word per token."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    target = Path(folder) / name
    shutil.copytree(GOLDENS / name, target)
    (target / "expected.npz").unlink(missing_ok=True)
    special = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: i for i, word in enumerate([*special, *WORDS.split(), "##s", "##ly"])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    options = {}
    if not name.startswith("gpt2"):
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
        options = {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", **options
    )
    fast.save_pretrained(target)
    return target
