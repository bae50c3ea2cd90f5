"""Summarizes a call: `text` BYTES [1] becomes `summary` BYTES [1], its sentence that says most.

That is the sentence whose embedding is nearest to that of the whole call; long sentences count more.
"""

from math import log

from equipoise_stage import Tensor

from sentences import load_embeddings, sentences_of


class Summarizer:
    def __init__(self, dimensions):
        self.embed = load_embeddings(dimensions)

    def run(self, batch):
        return [{"summary": Tensor("BYTES", [1], [self.summary_of(item["text"].data[0])])} for item in batch]

    def summary_of(self, text):
        sentences = sentences_of(text)
        if not sentences:
            return ""
        rows = self.embed([text, *sentences])
        worth = [likeness * log(1 + len(sentence.split())) for likeness, sentence in zip(rows[1:] @ rows[0], sentences)]
        return sentences[worth.index(max(worth))]


def load(variant, resources):
    return Summarizer(variant["parameters"]["dimensions"])
