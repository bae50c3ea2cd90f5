"""Outcomes of a real two-stage pipeline: noisy handwritten digits, restored, then classified. Writes digits.json.

Data: the digits of scikit-learn (1,797 images of 8 x 8 px; UCI, Alpaydin and Kaynak 1998), half for training, with
Gaussian and salt-and-pepper noise. Every classifier is trained once, on the images of all restorers.
Needs scikit-learn and scipy. One process, seeded; prints versions and mean milliseconds of an item.
"""
import json
import pathlib
import time

import numpy
import scipy.ndimage
import scipy.signal
import sklearn
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import NearestCentroid
from sklearn.svm import SVC

random = numpy.random.default_rng(1)
images, labels = load_digits(return_X_y=True)
noisy = images + random.normal(0, 4, images.shape)
flipped = random.random(images.shape) < 0.04
noisy[flipped] = random.choice([0.0, 16.0], flipped.sum())
noisy = noisy.clip(0, 16)
train, test, train_labels, test_labels, clean, _ = train_test_split(
    noisy, labels, images, test_size=800, random_state=1, stratify=labels
)


def by_image(restore):
    return lambda rows: numpy.array([restore(row.reshape(8, 8)).ravel() for row in rows])


components = PCA(20, random_state=1).fit(clean)
restorers = {
    "none": lambda rows: rows,
    "median": by_image(lambda image: scipy.ndimage.median_filter(image, 3)),
    "wiener": by_image(lambda image: scipy.signal.wiener(image + 1e-9, 3)),
    "subspace": lambda rows: components.inverse_transform(components.transform(rows)),
}
classifiers = {
    "centroid": NearestCentroid(),
    "bayes": GaussianNB(),
    "logistic": LogisticRegression(max_iter=500),
    "forest": RandomForestClassifier(60, random_state=1, n_jobs=1),
    "svm": SVC(gamma=0.002, C=10),
}


def timed(work, row):
    start = time.perf_counter()
    for _ in range(100):
        work(row)
    return (time.perf_counter() - start) * 10


learned = numpy.concatenate([restore(train) for restore in restorers.values()])
combinations = []
for classifier in classifiers.values():
    classifier.fit(learned, numpy.tile(train_labels, len(restorers)))
for restorer, restore in restorers.items():
    restored = restore(test)
    for name, classifier in classifiers.items():
        right = classifier.predict(restored) == test_labels
        combinations.append(
            {"variants": {"restore": restorer, "classify": name}, "right": "".join("01"[int(each)] for each in right)}
        )
for name, restore in restorers.items():
    print(name, round(timed(restore, test[:1]), 3), "ms")
for name, classifier in classifiers.items():
    print(name, round(timed(classifier.predict, test[:1]), 3), "ms")
path = pathlib.Path(__file__).with_name("digits.json")
path.write_text(json.dumps({"combinations": combinations}, indent=2) + "\n")
print("scikit-learn", sklearn.__version__)
for each in combinations:
    print(each["variants"], each["right"].count("1") / 800)
