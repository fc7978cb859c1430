"""Which way an effect goes, how large it is, what shape it has, and what follows from a change."""

import numpy as np

import jaxcause as jc

# A heater warms a room until it saturates; the room raises, and a window lowers, the humidity.
rng = np.random.default_rng(0)
heater, room, window, humidity = series = rng.normal(size=(4, 1500))
room[1:] += 3 * np.tanh(1.5 * heater[:-1])
for t in range(2, 1500):
    humidity[t] += 0.5 * room[t - 2] - 0.8 * window[t - 1]

names = ["heater", "room", "window", "humidity"]
found = jc.discover(
    series.T,
    max_lag=2,
    names=names,
    transform="standardise",
    model="small",
    select=lambda scores: jc.attribution.select_global_top_k(scores, 3),
    progress=False,
)
for row in found.table:
    print(
        f"{row['source']}(t-{row['lag']}) {row['edge']} {row['target']}(t): "
        f"{row['effect']:+.2f} per unit ({row['low']:+.2f} to {row['high']:+.2f}), "
        f"{row['share']:.0%} of the variance"
    )

# The shape of the strongest effect: the forecast along the range of the source.
curves = found.effects.curves
for (source, target, lag), at, response in zip(*curves, strict=True):
    if (source, target) == (0, 1):
        said = ", ".join(
            f"{r:+.1f} at {a:+.1f}" for a, r in zip(at[::5], response[::5], strict=True)
        )
        print(f"room along heater(t-{lag}): {said}")

# What follows from one unit more of heating: through the room, to the humidity.
answer = found.respond({"heater": 1.0}, steps=4)
print(answer.summary())
