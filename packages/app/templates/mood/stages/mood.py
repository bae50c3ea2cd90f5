"""Rates the mood of words from -1 to 1 by a small lexicon; with `negation`, "not good" is bad."""

from equipoise_stage import InvalidInput, Tensor

GOOD = {"good", "great", "fine", "happy", "love", "nice", "excellent"}
BAD = {"bad", "awful", "poor", "sad", "hate", "broken", "terrible"}
NEGATIONS = {"not", "no", "never"}


class Lexicon:
    def __init__(self, negation):
        self.negation = negation

    def rate(self, words):
        score = 0
        for before, word in zip(["", *words], words):
            sign = (word in GOOD) - (word in BAD)
            score += -sign if self.negation and before in NEGATIONS else sign
        return max(-1.0, min(1.0, score / max(1, len(words)) * 4))

    def run(self, batch):
        results = []
        for item in batch:
            if "words" not in item or item["words"].datatype != "BYTES":
                raise InvalidInput("The tensor `words` must be BYTES.")
            words = item["words"].data
            results.append(
                {"mood": Tensor("FP64", [1], [self.rate(words)]), "count": Tensor("INT64", [1], [len(words)])}
            )
        return results


def load(variant, resources):
    return Lexicon(variant["parameters"]["negation"])
