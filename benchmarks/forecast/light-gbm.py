"""Untuned quantile model of LightGBM: one JSON question in, one JSON answer out. Defaults of the package, one thread."""
import json
import sys

import lightgbm
import numpy

question = json.load(sys.stdin)
maxima = numpy.array(question["maximaRps"])
lags, horizon, first = question["lags"], question["horizonBins"], question["firstTest"]
rows = numpy.lib.stride_tricks.sliding_window_view(maxima, lags)
peaks = numpy.lib.stride_tricks.sliding_window_view(maxima, horizon).max(axis=1)
# Row i has the lags before bin i + lags. Training sees only peaks that end before the test.
trained = first - lags - horizon + 1
model = lightgbm.train(
    {
        "objective": "quantile",
        "alpha": question["upperFraction"],
        "seed": question["seed"],
        "num_threads": 1,
        "verbose": -1,
    },
    lightgbm.Dataset(rows[:trained], peaks[lags : lags + trained]),
)
tested = rows[first - lags : first - lags + question["forecasts"]]
json.dump({"version": lightgbm.__version__, "uppersRps": model.predict(tested).tolist()}, sys.stdout)
