"""From a text to the causal graph over its tokens.

`call` runs the stages `text_model`, `settings`, `query`, `graphs` and `removal`; each returns a
value that the later ones read. `explained` holds what they found, `document`, `state` and `wording`
turn it into JSON and sentences, and `result` and `write` hand it to the user.
"""
