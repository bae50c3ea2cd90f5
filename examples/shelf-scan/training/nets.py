"""The eight nets of shelf-scan: four detectors and four classifiers of rising cost.

Detector:   image [batch, 1, 224, 224] -> cells [batch, 4, 28, 28]
            channel 0 = probability that an object's center lies in the 8 px cell, 1 and 2 = offset of the
            center from the middle of the cell (x, y, in cells), 3 = ln(side / 48 px) of the object's box.
Classifier: crop [batch, 1, 64, 64] -> probabilities [batch, 10].

Every variant takes the same tensor and shrinks it itself (`pool`), so the stages need not know the variant.
All layers are convolutions and pools: each item of a batch is computed alone, so no result depends on other items.
Detectors are fully convolutional and may be trained on crops whose side is a multiple of 32 px.
"""
import torch
from torch import nn


MIRROR_SIGNS = torch.tensor([1.0, -1.0, 1.0, 1.0]).reshape(1, 4, 1, 1)  # mirroring negates the x offset


def conv(cin, cout, stride=1, size=3):
    return nn.Sequential(nn.Conv2d(cin, cout, size, stride, size // 2, bias=False), nn.BatchNorm2d(cout), nn.ReLU())


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(conv(width, width), nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        return torch.relu(x + self.body(x))


def trunk(pool, layers):
    """layers: (width, stride, number of residual blocks after it) each."""
    modules, cin = ([nn.AvgPool2d(pool)] if pool > 1 else []), 1
    for width, stride, blocks in layers:
        modules += [conv(cin, width, stride)] + [Residual(width) for _ in range(blocks)]
        cin = width
    return nn.Sequential(*modules), cin


class Detector(nn.Module):
    def __init__(self, pool, layers, mirrored=False):
        """mirrored: also looks at the mirror image and averages both results."""
        super().__init__()
        self.trunk, width = trunk(pool, layers)
        self.mirrored = mirrored
        self.head = nn.Conv2d(width, 4, 1)
        nn.init.constant_(self.head.bias[:1], -4.0)  # few cells hold a center, so the initial probability is low

    def raw(self, image):
        return self.head(self.trunk(image))

    def forward(self, image):
        cells = self.answer(image)
        if self.mirrored:
            mirror = self.answer(image.flip(3)).flip(3)
            cells = (cells + mirror * MIRROR_SIGNS.to(cells)) / 2
        return cells

    def answer(self, image):
        cells = self.raw(image)
        return torch.cat([torch.sigmoid(cells[:, :1]), cells[:, 1:]], 1)


class Classifier(nn.Module):
    def __init__(self, pool, layers, grid, zooms=None):
        """grid: side of the last feature map. None: averages the map instead of weighting each place.
        zooms: parts of the crop to look at, each also mirrored; the results of all views are averaged."""
        super().__init__()
        self.trunk, width = trunk(pool, layers)
        self.grid, self.zooms = grid, zooms
        self.head = nn.Conv2d(width, 10, grid or 1)
        self.dropout = nn.Dropout(0.2 if grid is None else 0.0)

    def raw(self, crop):
        features = self.trunk(crop)
        if self.grid is None:
            features = nn.functional.adaptive_avg_pool2d(features, 1)
        return self.head(self.dropout(features)).flatten(1)

    def forward(self, crop):
        if self.zooms is None:
            return torch.softmax(self.raw(crop), 1)
        views = []
        for zoom in self.zooms:
            inset = round(32 * (1 - zoom))
            part = crop[:, :, inset:64 - inset, inset:64 - inset]
            view = part if inset == 0 else nn.functional.interpolate(part, size=(64, 64), mode="bilinear", align_corners=False)
            views += [view, view.flip(3)]
        answers = torch.softmax(self.raw(torch.cat(views, 0)), 1)
        return answers.reshape(len(views), -1, 10).mean(0)


DETECTORS = {
    "xs": lambda: Detector(4, [(16, 2, 1)]),
    "s": lambda: Detector(4, [(32, 2, 2)]),
    "m": lambda: Detector(2, [(32, 2, 4), (48, 2, 1)]),
    "l": lambda: Detector(1, [(32, 2, 4), (48, 2, 3), (48, 2, 1)], mirrored=True),
}
CLASSIFIERS = {
    "xs": lambda: Classifier(4, [(16, 2, 0), (16, 2, 0)], 4),
    "s": lambda: Classifier(2, [(16, 1, 1), (32, 2, 1)], None),
    "m": lambda: Classifier(2, [(32, 1, 3), (48, 2, 1)], None),
    "l": lambda: Classifier(1, [(32, 1, 2), (48, 2, 2), (64, 2, 1)], None, zooms=(1.0, 0.875)),
}
