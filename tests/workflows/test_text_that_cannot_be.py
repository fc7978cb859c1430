"""Texts and tokenisers that do not fit a model end in one line."""

import functools
from pathlib import Path

import pytest

from jaxcause import InputError
from jaxcause.models import load_pretrained
from jaxcause.workflows._explain.text_model import TextModel

FOLDER = Path(__file__).parent.parent / "models" / "goldens" / "bert_none"


@functools.cache
def loaded():
    return load_pretrained(FOLDER)


@pytest.mark.parametrize(
    ("ids", "raised", "text", "message"),
    [
        ([1, 2], None, "a \ud800 b", "at 2, which is no character of Unicode"),
        ([3, 2**40], None, "a", "gives the token 1099511627776, but the model knows"),
        ([-1], None, "a", "gives the token -1"),
        ([], Exception("no [UNK]\nat all"), "a", r"cannot read the text \(no \[UNK\] at all\)"),
    ],
)
def test_texts(ids, raised, text, message):
    def tokenizer(text, verbose):
        if raised is not None:
            raise raised
        return {"input_ids": ids}

    with pytest.raises(InputError, match=message) as caught:
        TextModel(loaded(), tokenizer, "tiny").encode(text)
    assert "\n" not in str(caught.value)
