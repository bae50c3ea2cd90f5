"""Trains the four detectors on scenes of training garments: python3 train_detectors.py [xs s m l] [--share 1.0]

Target: a Gaussian bump (sigma 1 cell) at each center, learned with the penalty-reduced focal loss of CenterNet
("Objects as Points", eq. 1: exponents 2 and 4); offset and size by L1 in the 3 x 3 cells around each center.
At the end the bias of the first channel is shifted so that 0.5 is the threshold with the best F1 on validation scenes,
made of garments that no net was trained on. So all detectors use the same threshold.
Checkpoints go to work/; a variant whose checkpoint is complete is skipped.
"""
import argparse
import os
import time

import numpy as np
import torch

from nets import DETECTORS
from scenes import garments, scene, through_jpeg

CELL, GRID, VALIDATION_FROM, TOLERANCE_PX, APART_PX = 8, 28, 55000, 10, 22
PLAN = {"xs": (6, 32, 6e-3), "s": (8, 16, 5e-3), "m": (8, 16, 4e-3), "l": (7, 16, 3e-3)}  # passes, batch, peak rate


def make_scenes(seed, count, first, last):
    images, labels = garments("train")
    rng = np.random.default_rng(seed)
    made = [scene(rng, images[first:last], labels[first:last]) for _ in range(count)]
    return np.stack([through_jpeg(gray) for gray, _ in made]), [objects for _, objects in made]


def targets(objects):
    """[6, 28, 28]: bump, offset x, offset y, ln size, weight of the L1 terms, 1 where a center lies."""
    target = np.zeros((6, GRID, GRID), np.float32)
    rows, cols = np.mgrid[0:GRID, 0:GRID]
    nearest = np.full((GRID, GRID), np.inf)
    for x, y, side, _ in objects:
        cx, cy = x / CELL - 0.5, y / CELL - 0.5
        distance = (cols - cx) ** 2 + (rows - cy) ** 2
        target[0] = np.maximum(target[0], np.exp(-distance / 2))
        near = (np.maximum(abs(cols - cx), abs(rows - cy)) < 1.5) & (distance < nearest)
        nearest[near] = distance[near]
        target[1][near], target[2][near] = (cx - cols)[near], (cy - rows)[near]
        target[3][near], target[4][near] = np.log(side / 48), 1
        row, col = min(int(y // CELL), GRID - 1), min(int(x // CELL), GRID - 1)
        target[0, row, col] = target[5, row, col] = 1
    return target


def loss_of(cells, target):
    logit, bump, center = cells[:, 0], target[:, 0], target[:, 5]
    p = torch.sigmoid(logit)
    hit = center * (1 - p) ** 2 * torch.nn.functional.softplus(-logit)
    miss = (1 - center) * (1 - bump) ** 4 * p**2 * torch.nn.functional.softplus(logit)
    box = ((cells[:, 1:4] - target[:, 1:4]).abs() * torch.tensor([1.0, 1.0, 2.0]).reshape(1, 3, 1, 1)).sum(1) * target[:, 4]
    return ((hit + miss).sum() + 0.1 * box.sum()) / center.sum().clamp(min=1)


def picture(scenes):
    return torch.from_numpy(scenes).unsqueeze(1).float() / 127.5 - 1


def peaks(cells, threshold):
    """(score, x, y) of the local maxima above the threshold, best first, none closer than APART_PX to a better one."""
    p = cells[0]
    highest = torch.nn.functional.max_pool2d(p[None, None], 3, 1, 1)[0, 0]
    rows, cols = torch.nonzero((p >= threshold) & (p == highest), as_tuple=True)
    found = sorted(((float(p[r, c]), (float(c + 0.5 + cells[1, r, c])) * CELL, (float(r + 0.5 + cells[2, r, c])) * CELL) for r, c in zip(rows, cols)), reverse=True)
    kept = []
    for peak in found:
        if all(np.hypot(peak[1] - x, peak[2] - y) >= APART_PX for _, x, y in kept):
            kept.append(peak)
    return kept


def f1(answers, truth, threshold):
    right = wrong = missed = 0
    for cells, objects in zip(answers, truth):
        left = [(x, y) for x, y, _, _ in objects]
        for _, x, y in peaks(cells, threshold):
            near = min(left, key=lambda o: np.hypot(o[0] - x, o[1] - y), default=None)
            if near is not None and np.hypot(near[0] - x, near[1] - y) <= TOLERANCE_PX:
                left.remove(near)
                right += 1
            else:
                wrong += 1
        missed += len(left)
    return 2 * right / max(1, 2 * right + wrong + missed)


def calibrate(net, scenes, truth):
    """Moves the bias so that 0.5 is the best threshold; returns the F1 there."""
    net.eval()
    with torch.no_grad():
        answers = torch.cat([net(picture(scenes[i:i + 10])) for i in range(0, len(scenes), 10)])
    best = max(np.arange(0.1, 0.71, 0.05), key=lambda threshold: f1(answers, truth, threshold))
    with torch.no_grad():
        net.head.bias[0] -= float(np.log(best / (1 - best)))
    return best, f1(answers, truth, best)


def train(name, scenes, truth, share):
    torch.manual_seed(7)
    passes, batch, rate = PLAN[name]
    net = DETECTORS[name]().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), rate, weight_decay=1e-3)
    steps = int(passes * share * len(scenes) / batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps + 1, pct_start=0.15)
    order, started = np.random.default_rng(11), time.time()
    queue = np.array([], int)
    for step in range(steps):
        if len(queue) < batch:
            queue = order.permutation(len(scenes))
        chosen, queue = queue[:batch], queue[batch:]
        image, target = picture(scenes[chosen]), torch.from_numpy(truth[chosen])
        if order.random() < 0.5:
            image, target = image.flip(3), target.flip(3) * torch.tensor([1.0, -1, 1, 1, 1, 1]).reshape(1, 6, 1, 1)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            cells = net.raw(image.contiguous(memory_format=torch.channels_last))
        loss = loss_of(cells.float(), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            print(f"detect-{name} step {step + 1}/{steps} loss {loss.item():.3f} {time.time() - started:.0f} s", flush=True)
            torch.save(net.state_dict(), f"work/detect-{name}.part.pt")
    return net


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=list(DETECTORS))
    parser.add_argument("--share", type=float, default=1.0, help="share of the training steps, to try things out")
    options = parser.parse_args()
    os.makedirs("work", exist_ok=True)
    torch.set_num_threads(1)
    scenes, objects = make_scenes(1, int(3000 * max(options.share, 0.2)), 0, VALIDATION_FROM)
    truth = np.stack([targets(each) for each in objects])
    held_scenes, held_objects = make_scenes(2, 300, VALIDATION_FROM, 60000)
    for name in options.names or list(DETECTORS):
        if os.path.exists(f"work/detect-{name}.pt"):
            continue
        net = train(name, scenes, truth, options.share)
        threshold, score = calibrate(net, held_scenes, held_objects)
        print(f"detect-{name} validation F1 {score:.3f} (threshold was {threshold:.2f})", flush=True)
        torch.save(net.state_dict(), f"work/detect-{name}.pt")
