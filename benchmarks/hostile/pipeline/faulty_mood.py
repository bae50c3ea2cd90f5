"""The stage of examples/python-stage, which also has a fault for each of these words: the first word of a text."""

import importlib.util
import os
import pathlib
import subprocess
import sys
import time

from equipoise_stage import InvalidInput, Tensor

MOOD = pathlib.Path(__file__).parents[3] / "examples" / "python-stage" / "stages" / "mood.py"



def flood():
    for _ in range(2000):
        print("x" * 10_000)
        sys.stderr.write("y" * 10_000 + "\n")


def garbage():
    os.write(3, b"\xff" * 65_536)


def eat():
    held = []
    for _ in range(40):
        held.append(bytearray(b"\x01" * (16 << 20)))
    return held


FAULTS = {
    "!raise": lambda: 1 // 0,
    "!reject": lambda: (_ for _ in ()).throw(InvalidInput("x" * 1_000_000)),
    "!exit": lambda: os._exit(1),
    "!hang": lambda: time.sleep(3600),
    "!spin": lambda: [None for _ in iter(int, 1)],
    "!flood": flood,
    "!garbage": garbage,
    "!eat": eat,
    "!children": lambda: [subprocess.Popen(["sleep", "3600"]) for _ in range(20)],
    "!huge": lambda: [{"mood": Tensor("FP64", [4_000_000], [0.0] * 4_000_000)}],
    "!lie": lambda: [{"mood": Tensor("FP64", [2**40], [0.0])}],
}


class FaultyMood:
    def __init__(self, stage):
        self.stage = stage

    def run(self, batch):
        for item in batch:
            first = next(iter(item["words"].data), "")
            if first in FAULTS:
                result = FAULTS[first]()
                if first in ("!huge", "!lie"):
                    return result * len(batch)
        return self.stage.run(batch)


def load(variant, resources):
    spec = importlib.util.spec_from_file_location("mood", MOOD)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return FaultyMood(module.load(variant, resources))
