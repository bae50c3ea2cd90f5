"""Makes the calls: text by templates with a fixed seed, spoken by espeak-ng, with pauses and noise, as Opus in Ogg.

In examples/voice-desk, with espeak-ng 1.51 installed: .venv/bin/python calls/make_calls.py
"""

import io
import json
import random
import subprocess
import wave
from pathlib import Path

import av
import numpy

RATE = 16000
HERE = Path(__file__).parent.parent
GREETINGS = ["Hello there.", "Good morning.", "Hi, this is a message for your team.", "Good afternoon.", "Hello, thank you for taking my call."]
CONTEXTS = [
    "I have been a customer for three years.",
    "I tried to reach you yesterday.",
    "I live in the north of the city.",
    "I am calling from my office.",
    "Your website told me to leave a message.",
    "My colleague gave me this number.",
]
CLOSINGS = ["Please call me back this week.", "Thank you and goodbye.", "Have a nice day.", "I look forward to your answer.", "Bye for now."]
REQUESTS = {
    "billing": [
        "My credit card was charged twice for the same invoice.",
        "The last bill is forty dollars too high.",
        "I would like a refund for the payment in March.",
        "Please send me a receipt for the money that I paid.",
        "The tax on my invoice was calculated wrong.",
        "I want to change the bank account for my monthly payment.",
    ],
    "support": [
        "The internet connection drops every ten minutes.",
        "My router shows a red light and does not start.",
        "The application crashes when I open a large file.",
        "I forgot my password and cannot log in any more.",
        "The screen of the tablet stays black after the update.",
        "The printer does not connect to the wireless network.",
    ],
    "delivery": [
        "The package with my new shoes has not arrived.",
        "The driver left the parcel at the wrong address.",
        "I need to change the delivery date of my order.",
        "The box was damaged when the courier brought it.",
        "The tracking number of my shipment does not work.",
        "Please send the order to my neighbor instead.",
    ],
    "contract": [
        "I want to cancel my subscription at the end of the month.",
        "I would like to upgrade to the premium plan.",
        "Please extend my contract for another year.",
        "I am moving abroad and have to end the agreement.",
        "What is the notice period of my contract.",
        "I want to transfer the membership to my sister.",
    ],
}
VOICES = ["en-us", "en-gb", "en-us+f3", "en-gb+f2", "en-gb-scotland", "en-us+m3"]


def spoken(text, voice, speed):
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "--stdout", text]
    with wave.open(io.BytesIO(subprocess.run(command, capture_output=True, check=True).stdout)) as file:
        rate, frames = file.getframerate(), file.readframes(1 << 30)
    samples = numpy.frombuffer(frames, numpy.int16).astype(numpy.float64) / 32768
    places = numpy.arange(int(len(samples) * RATE / rate)) * rate / RATE
    return numpy.interp(places, numpy.arange(len(samples)), samples)


def call(chance, noise, desk, request):
    sentences = [chance.choice(GREETINGS), chance.choice(CONTEXTS), chance.choice(CLOSINGS)]
    sentences.insert(chance.choice([1, 2]), request)
    voice, speed = chance.choice(VOICES), chance.randint(140, 175)
    parts = [numpy.zeros(int(RATE * chance.uniform(0.3, 2.5)))]
    for sentence in sentences:
        parts += [spoken(sentence, voice, speed), numpy.zeros(int(RATE * chance.uniform(0.2, 0.9)))]
    samples = numpy.concatenate(parts)
    loudness = numpy.sqrt(numpy.mean(samples**2))
    decibels = chance.choice([30, 15, 8])
    samples = samples + noise.normal(0, loudness * 10 ** (-decibels / 20), len(samples))
    samples = samples * 0.5 / max(abs(samples).max(), 1e-9)
    return samples, {"text": " ".join(sentences), "desk": desk, "request": request}


def write(path, samples):
    with av.open(str(path), "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=RATE, layout="mono")
        stream.bit_rate = 16000
        frame = av.AudioFrame.from_ndarray((samples * 32767).astype(numpy.int16)[None, :], format="s16", layout="mono")
        frame.sample_rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


def main():
    chance, noise = random.Random(7), numpy.random.default_rng(7)
    requests = [(desk, request) for desk, all_of_desk in REQUESTS.items() for request in all_of_desk] * 2
    chance.shuffle(requests)
    labels = []
    for index, (desk, request) in enumerate(requests):
        samples, label = call(chance, noise, desk, request)
        file = f"call-{index + 1:02}.ogg"
        write(HERE / "data" / file, samples)
        labels.append({"file": file, "label": label})
    rows = ",\n".join(json.dumps(label, separators=(",", ":")) for label in labels)
    (HERE / "data" / "labels.json").write_text(f"[\n{rows}\n]\n")
    for index in range(6):
        desk, request = chance.choice(requests)
        write(HERE / "samples" / f"call-{index + 1}.ogg", call(chance, noise, desk, request)[0])


main()
