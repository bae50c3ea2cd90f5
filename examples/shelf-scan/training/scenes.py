"""Composes gray shelf scenes of 224 x 224 px out of Fashion-MNIST garments.

A scene holds 1 to 6 garments (about 3 on average) of 36 to 60 px, slightly turned and dimmed, on an uneven background
with shelf boards, lines, boxes and decoys: garments cut into quarters and put together wrongly. Noise and a JPEG round
trip finish the scene, so that training scenes look like decoded images. The given random generator determines everything.

An object is (x, y, side, label): center in px, side of the garment's frame in px, class 0 to 9.
"""
import gzip
import io
import os

import numpy as np
from PIL import Image, ImageDraw

SIZE = 224
SIDE_RANGE = (36, 60)
JPEG_QUALITY = 85
LABELS = ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]
DATASET = os.environ.get("FASHION_MNIST_DIR", "/usr/share/datasets/fashion-mnist")


def garments(split):
    """split: 'train' or 't10k'. Returns (images uint8 [n, 28, 28], labels int64 [n])."""
    with gzip.open(f"{DATASET}/{split}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(f"{DATASET}/{split}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)
    return images, labels


def smooth_noise(rng, cells, low, high):
    grid = Image.fromarray(rng.uniform(low, high, (cells, cells)).astype(np.float32))
    return np.asarray(grid.resize((SIZE, SIZE), Image.BICUBIC))


def background(rng):
    canvas = smooth_noise(rng, 3, 20, 110) + smooth_noise(rng, 14, -14, 14)
    image = Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(0, 3)):  # shelf boards
        y, tilt = rng.integers(0, SIZE), rng.integers(-8, 9)
        draw.line((0, y, SIZE, y + tilt), fill=int(rng.integers(20, 170)), width=int(rng.integers(3, 9)))
    for _ in range(rng.integers(3, 9)):
        x, y = rng.integers(0, SIZE, 2)
        w, h = rng.integers(6, 46, 2)
        gray, kind = int(rng.integers(15, 200)), rng.integers(0, 4)
        box = (int(x), int(y), int(x + w), int(y + h))
        if kind == 0:
            draw.rectangle(box, fill=gray)
        elif kind == 1:
            draw.ellipse(box, fill=gray)
        elif kind == 2:
            draw.rectangle(box, outline=gray, width=2)
        else:
            draw.line((*box[:2], int(x + rng.integers(-60, 60)), int(y + rng.integers(-60, 60))), fill=gray, width=int(rng.integers(1, 5)))
    return np.asarray(image, np.float32)


def paste(rng, canvas, garment, center, side):
    """Blends one 28 x 28 garment over the canvas; its darkest cloth stays visible as a gray above black."""
    frame = int(np.ceil(side * 1.4))
    left, top = int(round(center[0] - frame / 2)), int(round(center[1] - frame / 2))
    angle, scale = np.deg2rad(rng.uniform(-10, 10)), 28 / side
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    dx, dy = left - center[0], top - center[1]
    affine = (cos, sin, cos * dx + sin * dy + 14, -sin, cos, -sin * dx + cos * dy + 14)
    turned = np.asarray(Image.fromarray(garment).transform((frame, frame), Image.AFFINE, affine, Image.BICUBIC), np.float32)
    cloth = np.asarray(Image.fromarray(((garment > 8) * 255).astype(np.uint8)).transform((frame, frame), Image.AFFINE, affine, Image.BILINEAR), np.float32) / 255
    look = rng.uniform(8, 40) + turned * rng.uniform(0.5, 0.9)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + frame, SIZE), min(top + frame, SIZE)
    part = np.s_[y0 - top:y1 - top, x0 - left:x1 - left]
    alpha = cloth[part] * rng.uniform(0.85, 1.0)
    canvas[y0:y1, x0:x1] = canvas[y0:y1, x0:x1] * (1 - alpha) + look[part] * alpha


def decoy(rng, garment):
    """The four quarters of a garment, none in its own place."""
    quarters = [garment[:14, :14], garment[:14, 14:], garment[14:, :14], garment[14:, 14:]]
    a, b, c, d = [(1, 0, 3, 2), (3, 2, 1, 0), (2, 3, 0, 1), (1, 3, 0, 2), (2, 0, 3, 1)][rng.integers(0, 5)]
    return np.block([[quarters[a], quarters[b]], [quarters[c], quarters[d]]])


def place(rng, side, taken):
    """A center at which a garment of this side is inside the scene and hardly covers others, or None."""
    for _ in range(40):
        x, y = rng.uniform(side / 2 - 2, SIZE - side / 2 + 2, 2)
        if all(np.hypot(x - tx, y - ty) > 0.44 * (side + other) for tx, ty, other in taken):
            return x, y, side
    return None


def scene(rng, images, labels, chosen=None):
    """Returns (gray uint8 [224, 224], objects). chosen: indices of the garments to show; default: random ones."""
    if chosen is None:
        chosen = rng.integers(0, len(images), rng.choice(6, p=[0.12, 0.25, 0.29, 0.2, 0.09, 0.05]) + 1)
    canvas, taken, objects = background(rng), [], []
    for index in [*chosen, *[-1] * rng.integers(1, 4)]:  # -1: a decoy
        spot = place(rng, rng.uniform(*SIDE_RANGE), taken)
        if spot is None:
            continue
        taken.append(spot)
        garment = images[index] if index >= 0 else decoy(rng, images[rng.integers(0, len(images))])
        paste(rng, canvas, garment, spot[:2], spot[2])
        if index >= 0:
            objects.append((*spot, int(labels[index])))
    canvas = (canvas - 128) * rng.uniform(0.75, 1.1) + 128 + rng.uniform(-25, 15)
    canvas += rng.normal(0, rng.uniform(3, 9), canvas.shape)
    return np.clip(canvas, 0, 255).astype(np.uint8), objects


def jpeg(gray):
    file = io.BytesIO()
    Image.fromarray(gray).save(file, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return file.getvalue()


def through_jpeg(gray):
    return np.asarray(Image.open(io.BytesIO(jpeg(gray))))
