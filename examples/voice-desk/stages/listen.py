"""Cuts a call to its speech: `audio` UINT8 [bytes], a sound file, becomes `speech` FP32 [samples] at 16 kHz.

The variant `whole` keeps everything; `silero` keeps what the voice activity detector Silero takes for speech.
"""

import io

import av
import numpy
from equipoise_stage import InvalidInput, Tensor
from faster_whisper.vad import VadOptions, get_speech_timestamps

RATE = 16000
MOST_SAMPLES = 30 * RATE


class Listener:
    def __init__(self, detects):
        self.detects = detects

    def run(self, batch):
        results = []
        for item in batch:
            samples = decoded(bytes(item["audio"].data))
            if self.detects:
                spans = get_speech_timestamps(samples, VadOptions(min_silence_duration_ms=500, speech_pad_ms=200))
                parts = [samples[span["start"] : span["end"]] for span in spans]
                samples = numpy.concatenate(parts) if parts else samples[:0]
            results.append({"speech": Tensor("FP32", [len(samples)], numpy.ascontiguousarray(samples))})
        return results


def decoded(data):
    """The first 30 s of a sound file, -1 to 1."""
    parts, count = [], 0
    try:
        with av.open(io.BytesIO(data)) as container:
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
            for frame in container.decode(audio=0):
                for part in resampler.resample(frame):
                    parts.append(part.to_ndarray()[0])
                    count += len(parts[-1])
                if count >= MOST_SAMPLES:
                    break
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise InvalidInput(f"The call cannot be decoded ({error}): an intact sound file expected.") from error
    samples = numpy.concatenate(parts)[:MOST_SAMPLES] if parts else numpy.zeros(0, numpy.int16)
    return samples.astype(numpy.float32) / 32768


def load(variant, resources):
    return Listener(variant["parameters"]["detects"])
