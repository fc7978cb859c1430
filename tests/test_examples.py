import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from compilation import AS_USERS_DO

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_run(path):
    env = dict(os.environ, **AS_USERS_DO)
    done = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, timeout=240, env=env
    )
    assert done.returncode == 0, done.stderr
    # Which marks an edge has may depend on the processor that trained the model.
    assert re.search("->|o-|<-", done.stdout)


def test_the_names_of_the_readme_exist():
    import jaxcause as jc

    for name in ("discover", "explain", "TextModel", "pc", "icd", "fci", "Caps", "warmup"):
        assert hasattr(jc, name)
    assert set(dir(jc)) >= {
        "BackgroundKnowledge",
        "attention",
        "attribution",
        "metrics",
        "simulate",
        "Mark",
        "CausalGraph",
        "LaggedGraph",
    }
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        jc.nothing  # noqa: B018
