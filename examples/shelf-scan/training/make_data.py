"""Writes labeled scenes: python3 make_data.py [data] [samples] [fresh]

data: ../data, for `equipoise evaluate` and for choosing thresholds. samples: ../samples, for profiling and load. fresh: 600
more scenes in the benchmarks of the repository, on which two-looks.yaml and one-look.yaml are measured.
All show only test garments, which no net was trained on. The same seeds give the same files with the
same version of Pillow and its JPEG encoder.
"""
import json
import os
import sys

import numpy as np

from scenes import garments, jpeg, scene

EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
# Folder, seed, number of scenes, with labels.
SETS = {
    "data": ("data", 2024, 200, True),
    "samples": ("samples", 4711, 24, False),
    "fresh": ("../../benchmarks/evaluation/shelf-scenes", 20261201, 600, True),
}


def write(folder, seed, count):
    """Returns [{file, objects: [{x, y, side, label}]}]; x, y = center in px."""
    os.makedirs(f"{EXAMPLE}/{folder}", exist_ok=True)
    images, labels = garments("t10k")
    rng, entries = np.random.default_rng(seed), []
    for index in range(count):
        gray, objects = scene(rng, images, labels)
        name = f"scene-{index + 1:03d}.jpg"
        with open(f"{EXAMPLE}/{folder}/{name}", "wb") as file:
            file.write(jpeg(gray))
        entries.append({"file": name, "objects": [
            {"x": round(x, 1), "y": round(y, 1), "side": round(side, 1), "label": label} for x, y, side, label in objects]})
    return entries


if __name__ == "__main__":
    for folder, seed, count, labeled in (SETS[name] for name in sys.argv[1:] or SETS):
        entries = write(folder, seed, count)
        print(f"{folder}: {sum(len(entry['objects']) for entry in entries)} objects in {count} scenes")
        if labeled:
            with open(f"{EXAMPLE}/{folder}/labels.json", "w") as file:
                file.write("[\n" + ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in entries) + "\n]\n")
