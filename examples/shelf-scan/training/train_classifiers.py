"""Trains the four classifiers on crops of composed scenes: python3 train_classifiers.py [xs s m l] [--share 1.0]

A crop is 1.25 times the garment's side, resampled to 64 x 64; center and side are jittered about as much as the
detectors err, so that the nets learn such crops. Each pass shows every training garment once, in new
scenes. Checkpoints go to work/ after every cycle; stored cycles are not trained again.
"""
import argparse
import os
import time

import numpy as np
import torch

from nets import CLASSIFIERS
from scenes import garments, scene, through_jpeg

PATCH, CROP, CONTEXT, VALIDATION_FROM = 96, 64, 1.25, 55000
SHIFT_PX, SIDE_SPREAD = 2.5, 0.08  # standard deviations of the jitter
BATCH = {"xs": 128, "s": 64, "m": 64, "l": 64}
CYCLES = {"xs": [(3, 8e-3)], "s": [(4, 5e-3)], "m": [(4, 4e-3)], "l": [(3, 3e-3), (2, 1.5e-3)]}  # (passes, peak rate) each


def patches(seed, first, last):
    """Shows garments first..last once each. Returns (patches uint8 [n, 96, 96], (x, y, side) [n, 3] inside them, labels)."""
    images, labels = garments("train")
    rng = np.random.default_rng(seed)
    order, cuts, boxes, classes = rng.permutation(np.arange(first, last)), [], [], []
    at = 0
    while at < len(order):
        count = int(rng.integers(2, 6))
        gray, objects = scene(rng, images, labels, order[at:at + count])
        at += count
        padded = np.pad(through_jpeg(gray), PATCH, mode="edge")
        for x, y, side, label in objects:
            left, top = round(x) - PATCH // 2, round(y) - PATCH // 2
            cuts.append(padded[top + PATCH:top + 2 * PATCH, left + PATCH:left + 2 * PATCH])
            boxes.append((x - left, y - top, side))
            classes.append(label)
    return np.stack(cuts), torch.tensor(boxes, dtype=torch.float32), torch.tensor(classes)


def crops(cuts, boxes, generator, jitter=1.0):
    """Jittered 64 x 64 crops; bilinear between pixel centers, edges continued, as in vision/cut-crop.ts."""
    n = len(boxes)
    shift = torch.randn(n, 2, generator=generator) * SHIFT_PX * jitter
    side = boxes[:, 2] * CONTEXT * torch.exp(torch.randn(n, generator=generator) * SIDE_SPREAD * jitter)
    center = (boxes[:, :2] + shift) / (PATCH / 2) - 1
    zero, half = torch.zeros(n), side / PATCH
    theta = torch.stack([torch.stack([half, zero, center[:, 0]], 1), torch.stack([zero, half, center[:, 1]], 1)], 1)
    grid = torch.nn.functional.affine_grid(theta, (n, 1, CROP, CROP), align_corners=False)
    image = torch.from_numpy(cuts).unsqueeze(1).float() / 127.5 - 1
    return torch.nn.functional.grid_sample(image, grid, padding_mode="border", align_corners=False)


def accuracy(net, held):
    net.eval()
    generator, right = torch.Generator().manual_seed(5), 0
    cuts, boxes, labels = held
    with torch.no_grad():
        for i in range(0, len(labels), 50):
            chosen = slice(i, i + 50)
            right += (net(crops(cuts[chosen], boxes[chosen], generator)).argmax(1) == labels[chosen]).sum().item()
    return right / len(labels)


def run_cycle(net, name, cycle, share, shown):
    """One rise and fall of the learning rate. Random numbers depend only on the cycle, so a resumed run gives the same nets."""
    passes, rate = CYCLES[name][cycle]
    batch, first = BATCH[name], sum(each for each, _ in CYCLES[name][:cycle])
    if cycle > 0:
        torch.manual_seed(7 + cycle)
    optimizer = torch.optim.AdamW(net.parameters(), rate, weight_decay=2e-3)
    steps = int(passes * VALIDATION_FROM * share / batch) + 10
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.15)
    generator, started = torch.Generator().manual_seed(13 + cycle), time.time()
    for turn in range(first, first + passes):
        net.train()
        cuts, boxes, labels = shown(turn)
        order = torch.randperm(len(labels), generator=generator)
        for i in range(0, len(order) - batch + 1, batch):
            chosen = order[i:i + batch]
            image = crops(cuts[chosen.numpy()], boxes[chosen], generator)
            mirrored = torch.rand(batch, 1, 1, 1, generator=generator) < 0.5
            image = torch.where(mirrored, image.flip(3), image)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = net.raw(image.contiguous(memory_format=torch.channels_last))
            loss = torch.nn.functional.cross_entropy(logits.float(), labels[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if i // batch % 100 == 99:
                print(f"classify-{name} pass {turn + 1} {i + batch}/{len(order)} loss {loss.item():.3f} {time.time() - started:.0f} s", flush=True)


def train(name, share, shown):
    torch.manual_seed(7)
    net = CLASSIFIERS[name]().to(memory_format=torch.channels_last)
    for cycle in range(len(CYCLES[name])):
        done = f"work/classify-{name}.cycle{cycle + 1}.pt"
        if os.path.exists(done):
            net.load_state_dict(torch.load(done))
            continue
        run_cycle(net, name, cycle, share, shown)
        torch.save(net.state_dict(), done)
    return net


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=list(CLASSIFIERS))
    parser.add_argument("--share", type=float, default=1.0, help="share of the training garments, to try things out")
    options = parser.parse_args()
    os.makedirs("work", exist_ok=True)
    torch.set_num_threads(1)
    last = int(VALIDATION_FROM * options.share)
    held = patches(99, VALIDATION_FROM, VALIDATION_FROM + 2000)
    made = {}

    def shown(turn):
        if turn not in made:
            made[turn] = patches(100 + turn, 0, last)
        return made[turn]

    for name in options.names or list(CLASSIFIERS):
        if os.path.exists(f"work/classify-{name}.pt"):
            continue
        net = train(name, options.share, shown)
        print(f"classify-{name} validation accuracy {accuracy(net, held):.3f}", flush=True)
        torch.save(net.state_dict(), f"work/classify-{name}.pt")
