"""The data, the count of queries and the figures of the CLEANN benchmarks."""

import itertools
import math

import jax
import numpy as np
import pytest

from benchmarks.cleann import cases, figures, methods, movies, polarity, study
from jaxcause.models import BERT4RecConfig, new_bert4rec

N = 5


def case_of(changes, seed: int = 0, answers=None) -> cases.Case:
    """A case with random attention whose answers follow a rule over sets of nodes."""
    generator = np.random.default_rng(seed)
    attention = generator.dirichlet(np.ones(N + 1), size=(2, 3, N + 1))

    def asked(removed: np.ndarray) -> np.ndarray:
        flips = [float(changes(set(np.flatnonzero(row).tolist()))) for row in removed]
        return np.array([[flip, 0.9 - 0.5 * flip, 7.0 * flip] for flip in flips])

    return cases.Case(
        "made up", attention, N, 0, np.arange(N) > 0, np.arange(N) / N, 0.9, answers or asked
    )


def test_the_split_is_fixed_and_complete():
    parts = polarity.split(1000)
    together = np.concatenate(list(parts.values()))
    assert sorted(together) == list(range(1000))
    assert {name: len(part) for name, part in parts.items()} == {
        "train": 700,
        "validation": 100,
        "test": 200,
    }
    assert parts["test"][:3].tolist() == polarity.split(1000)["test"][:3].tolist()


def test_batches_hold_each_sentence_once_an_epoch():
    generator = np.random.default_rng(0)
    lengths = np.repeat([9, 20, 40], polarity.BATCH)
    ids = [[1, at + 10, *generator.integers(10, 20, n - 3), 2] for at, n in enumerate(lengths)]
    part = polarity.Sentences([list(map(int, line)) for line in ids], np.arange(len(ids)) % 2)
    made = list(polarity.batches(part, 2))
    assert len(made) == polarity.n_batches(part, 2) == 6
    assert {batch[0].shape[1] for batch in made} == set(polarity.BUCKETS)
    first = sorted(int(i) for batch in made[:3] for i in batch[0][:, 1])
    assert first == [at + 10 for at in range(len(ids))]
    for batch_ids, mask, _ in made:
        np.testing.assert_array_equal(batch_ids > 0, mask)


def test_too_long_a_sentence_keeps_its_separator():
    ids, mask = polarity.padded([[1, 5, 6, 7, 2], [1, 2]], 4)
    assert ids.tolist() == [[1, 5, 6, 2], [1, 2, 0, 0]]
    assert mask.sum(axis=1).tolist() == [4, 2]


def test_the_last_movie_is_held_out():
    ratings = [(user, movie, 100 - movie) for user in range(5) for movie in range(6)]
    ratings += [(9, movie, movie) for movie in range(4)]  # too few
    ratings += [(0, 77, 200)]  # a movie of one rating
    data = movies.sessions(ratings)
    assert data.movies == list(range(6))
    assert data.histories == [[6, 5, 4, 3, 2]] * 5
    assert data.held_out.tolist() == [1] * 5


def test_windows_cover_all_items():
    history = list(range(1, 24))
    rows = movies.windows([history, [3, 4]], 10)
    assert set(rows[:-1].ravel()) - {0} == set(history)
    assert rows[0].tolist() == history[-10:]
    assert rows[-1].tolist() == [0] * 8 + [3, 4]


def test_what_is_masked_is_what_is_predicted():
    rows = movies.windows([list(range(1, 41))] * 50, 20)
    inputs, hidden, items, counts = movies.masked(rows, 99, np.random.default_rng(0))
    at = np.broadcast_to(np.arange(len(rows))[:, None], hidden.shape)
    expected = rows.copy()
    expected[at[counts], hidden[counts]] = 99
    np.testing.assert_array_equal(inputs, expected)
    np.testing.assert_array_equal(items[counts], rows[at[counts], hidden[counts]])
    assert counts.any(axis=1).mean() > 0.9
    assert (rows[at[counts], hidden[counts]] > 0).all()


def test_ranking_by_hand():
    scores = np.array([[9, 5, 4, 3, 8.0], [9, 1, 2, 3, 4.0]])
    found = movies.ranking(scores, np.array([2, 1]), [[4], [3]])
    gains = [1 / math.log2(1 + 2), 1 / math.log2(1 + 3)]
    assert found == {"HR@10": 1.0, "NDCG@10": pytest.approx(sum(gains) / 2)}
    many = np.arange(30.0)[None]
    assert movies.ranking(many, np.array([5]), [[1]])["HR@10"] == 0.0


def test_next_item_scores_of_every_user():
    data = movies.Sessions([[1, 2], [3], [2, 3, 1]], np.array([3, 1, 4]), [10, 11, 12, 13])
    model = new_bert4rec(
        BERT4RecConfig(4, max_length=movies.MAX_LENGTH, hidden_size=8), key=jax.random.key(0)
    )
    together = movies.next_item_scores(model, data)
    assert together.shape == (3, 5)
    row = np.array([[3, 5]])
    alone = model.apply(model.params, row).logits[0, -1, :5]
    np.testing.assert_allclose(together[1], alone, atol=1e-5)


def test_the_model_is_asked_once_but_every_query_counts():
    asked = []

    def answers(removed):
        asked.extend(map(cases.code, removed))
        return np.stack([removed[:, 3] & removed[:, 4], *np.ones((2, len(removed)))], axis=1)

    case = case_of(None, answers=answers)
    oracle = cases.Oracle(case)
    for _ in range(2):
        found = methods.baselines()["random subsets"](case, oracle)
        assert len(found) == methods.SEEDS
        assert all(o.size == 2 and 5 <= o.queries <= 10 for o in found)
    assert len(asked) == len(set(asked)) == oracle.n_passes <= 2**N


def test_a_killed_run_goes_on(tmp_path):
    case = case_of(lambda removed: 1 in removed)
    path = tmp_path / "answers.jsonl"
    first = cases.Cache(path)
    oracle = first.oracle(case)
    methods.smallest(case, oracle, 2)
    first.keep(oracle)
    first.keep(oracle)
    assert len(path.read_text().splitlines()) == 1
    with path.open("a") as file:
        file.write('{"case": "made')
    again = cases.Cache(path)
    resumed = again.oracle(case)
    methods.smallest(case, resumed, 2)
    assert resumed.n_passes == 0
    assert resumed.known == oracle.known
    methods.smallest(case_of(lambda removed: False), resumed, 4)
    again.keep(resumed)
    assert cases.Cache(path).oracle(case).known == resumed.known


@pytest.mark.parametrize("heads", ["mean", "all"])
@pytest.mark.parametrize("order", ["distance", "attention", "consensus", "mean distance"])
def test_every_setting_asks_within_its_trees(heads, order):
    setting = methods.Setting(heads=heads, order=order)
    case = case_of(lambda removed: {2, 4} <= removed)
    marks = methods.graphs([case], setting, 64)[0]
    oracle = cases.Oracle(case)
    found = methods.explain(case, oracle, marks, setting)
    trees = methods.possible_d_sep_distances(marks, 0) > 0
    inside = np.any(trees, axis=0)
    assert found.size == (2 if inside[2] and inside[4] and _together(trees, order) else 0)
    for removed in oracle.known:
        members = {i for i in range(N) if removed >> i & 1}
        assert members <= set(np.flatnonzero(inside))


def _together(trees: np.ndarray, order: str) -> bool:
    """Whether some tree holds both; orders by mean distance ask about the union of all."""
    return order == "mean distance" or bool((trees[:, 2] & trees[:, 4]).any())


def test_graphs_of_several_lengths_are_those_of_one():
    long = case_of(lambda removed: False)
    short = long._replace(attention=long.attention[:, :, :4, :4], n_nodes=3)
    setting = methods.Setting(heads="all")
    together = methods.graphs([long, short], setting, 64)
    for case, marks in zip([long, short], together, strict=True):
        n = case.n_nodes
        alone = methods.graphs([case], setting, 64)[0]
        np.testing.assert_array_equal(marks[:, :n, :n], alone[:, :n, :n])
        assert not marks[:, n:].any()


def test_overhead_counts_as_queries():
    case = case_of(lambda removed: 4 in removed)
    oracle = cases.Oracle(case)
    found = {name: method(case, oracle)[0] for name, method in methods.baselines().items()}
    assert found["leave one out, in order"] == methods.Outcome(N - 1 + 1, 1, 0.4, 7.0)
    assert found["input × gradient, in order"] == methods.Outcome(2, 1, 0.4, 7.0)


def test_smallest_is_the_smallest():
    def changes(removed):
        return removed >= {1, 2, 3} or removed >= {2, 4}

    case = case_of(changes)
    subsets = itertools.chain.from_iterable(
        itertools.combinations(range(1, N), size) for size in range(1, 4)
    )
    assert methods.smallest(case, cases.Oracle(case), 3) == min(
        len(s) for s in subsets if changes(set(s))
    )
    assert methods.smallest(case, cases.Oracle(case), 1) == 0


def test_growing_sets_come_when_those_of_the_graph_explain_nothing():
    case = case_of(lambda removed: len(removed) >= 4)
    marks = np.zeros((1, N + 1, N + 1), np.int8)
    marks[0, 0, 1:4] = marks[0, 1:4, 0] = 1
    alone = methods.Setting(order="attention")
    outcome = methods.explain(case, cases.Oracle(case), marks, alone)
    assert outcome == methods.Outcome(7, 0, 0.9, 0.0)
    larger = methods.explain(case, cases.Oracle(case), marks, alone._replace(n_larger=12))
    assert larger.size == 4
    assert 7 < larger.queries <= 11


def test_figures_by_hand():
    outcomes = [
        [methods.Outcome(3, 1, 0.2, 2), methods.Outcome(30, 2, 0.4, 4)],
        [methods.Outcome(500, 1, 0.1, 9), methods.Outcome(40, 0, 0.9, 0)],
    ]
    assert figures.share(outcomes, 2).tolist() == [0.0, 0.0]
    assert figures.share(outcomes, 10).tolist() == [0.5, 0.0]
    assert figures.share(outcomes).tolist() == [1.0, 0.0]
    assert figures.mean_size(outcomes, 10) == 1.0
    assert figures.mean_size(outcomes) == 1.5
    assert math.isnan(figures.mean_size(outcomes, 1))
    row = figures.summary(outcomes, np.array([0.9, 0.9]))
    assert row["share"] == 0.5
    assert row["queries"] == pytest.approx((3 + 30 + 400 + 40) / 4)
    assert row["fall of probability"] == pytest.approx((0.7 + 0.5) / 2)
    assert (row["median rank"], row["mean rank"]) == (3.0, 3.0)
    assert figures.above_smallest(outcomes, [1, 0]) == {
        "nodes above the smallest (short)": 0.5,
        "short": 1,
    }


def test_intervals_hold_the_mean():
    values = np.random.default_rng(0).normal(3.0, 1.0, 400)
    low, high = figures.interval(lambda at: values[at].mean(), 400)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.15)


def test_sets_out_of_the_tree_come_after_all():
    case = case_of(lambda removed: {2, 4} <= removed)
    setting = methods.Setting(heads="all", order="mean distance, attention, everywhere")
    without = np.zeros((3, N, N), np.int8)
    assert methods.explain(case, cases.Oracle(case), without, setting).size == 2
    setting = setting._replace(order="mean distance, attention")
    assert methods.explain(case, cases.Oracle(case), without, setting).size == 0


def test_the_ablation_names_each_setting_once():
    for n_layers, n_heads in ((6, 12), (2, 2)):
        tried = study.settings(n_layers, n_heads, (64, 128))
        names = [(factor, value) for factor, value, _ in tried]
        assert len(set(names)) == len(names)
        assert tried[0][2] == study.PUBLISHED
        layers = {setting.layer for _, _, setting in tried} - {None}
        assert min(layers) == -n_layers


def test_a_whole_study_of_made_up_cases(tmp_path, monkeypatch):
    few = study.settings(2, 3, (32,))
    monkeypatch.setattr(study, "settings", lambda *sizes: [few[0], few[-1]])
    made = [
        case_of(lambda removed, k=k: 1 + k % 4 in removed, seed=k)._replace(name=f"case {k}")
        for k in range(6)
    ]
    rows = study.compare(
        made[:3],
        made[3:5],
        made[5:],
        tmp_path / "answers.jsonl",
        n_samples=64,
        n_layers=2,
        n_heads=3,
        short={made[3].name},
        samples=(32,),
    )
    again = [row for row in rows if row["table"].startswith("Further cases: Methods")]
    assert {row["method"] for row in again} > {"CLEANN", study.DEFAULT, study.RIVAL}
    assert {row["n"] for row in again} == {1}
    lines = (tmp_path / "answers_ablation.jsonl").read_text().splitlines()
    assert len(lines) == 2
    cache = cases.Cache(tmp_path / "answers.jsonl")
    monkeypatch.setattr(study, "explained", None)
    again, _ = study.ablation(
        made[:3], cache, [few[0], few[-1]], 64, tmp_path / "answers_ablation.jsonl"
    )
    assert again == [r for r in rows if r["table"] in ("Ablation", "Chosen")]
    by_subsets = [r for r in rows if r.get("method") == "random subsets"]
    assert by_subsets[0]["share"] == 1.0
    assert by_subsets[0]["size"] == 1.0
    assert {r["table"] for r in rows} >= {"Ablation", "Chosen", "Mean size within so many queries"}
    areas = [r["area"] for r in rows if r["table"] == "Ablation" and r["factor"]]
    ours = [r for r in rows if r.get("method") == "CLEANN" and "n" in r]
    assert ours[0]["share"] <= 1.0
    assert max(areas) <= 1.0
