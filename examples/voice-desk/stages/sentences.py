"""Sentences of a text, and their embeddings by WordLlama."""

import re
from pathlib import Path

import wordllama
from safetensors import safe_open
from tokenizers import Tokenizer
from wordllama.inference import WordLlamaInference


def sentences_of(text):
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+", text) if len(part.strip()) > 1]


def load_embeddings(dimensions):
    """A function from texts to rows of norm 1. It reads the files of the package and never downloads any."""
    folder = Path(wordllama.__file__).parent
    tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    with safe_open(folder / "weights" / "l2_supercat_256.safetensors", framework="np") as weights:
        rows = weights.get_tensor("embedding.weight")[:, :dimensions]
    model = WordLlamaInference(rows, tokenizer)
    return lambda texts: model.embed(texts, norm=True)
