"""One training step (forward, backward, SGD update) of GoogLeNet in PyTorch: prints the median of several, in seconds.

The network is BVLC GoogLeNet without auxiliary classifiers, batch 16, 224x224, two threads, as
`apps/synapress/examples/train_step.rs` runs it.
"""

import os
import statistics
import sys
import time

import torch
from torch import nn


class Inception(nn.Module):
    def __init__(self, inputs, n1, r3, n3, r5, n5, pool):
        super().__init__()
        relu = lambda: nn.ReLU(inplace=True)
        self.branches = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(inputs, n1, 1), relu()),
                nn.Sequential(nn.Conv2d(inputs, r3, 1), relu(), nn.Conv2d(r3, n3, 3, padding=1), relu()),
                nn.Sequential(nn.Conv2d(inputs, r5, 1), relu(), nn.Conv2d(r5, n5, 5, padding=2), relu()),
                nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(inputs, pool, 1), relu()),
            ]
        )

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


def googlenet():
    pool = lambda: nn.MaxPool2d(3, 2, ceil_mode=True)
    norm = lambda: nn.LocalResponseNorm(5, 1e-4, 0.75)
    relu = lambda: nn.ReLU(inplace=True)
    return nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3), relu(), pool(), norm(),
        nn.Conv2d(64, 64, 1), relu(), nn.Conv2d(64, 192, 3, padding=1), relu(), norm(), pool(),
        Inception(192, 64, 96, 128, 16, 32, 32), Inception(256, 128, 128, 192, 32, 96, 64), pool(),
        Inception(480, 192, 96, 208, 16, 48, 64), Inception(512, 160, 112, 224, 24, 64, 64),
        Inception(512, 128, 128, 256, 24, 64, 64), Inception(512, 112, 144, 288, 32, 64, 64),
        Inception(528, 256, 160, 320, 32, 128, 128), pool(),
        Inception(832, 256, 160, 320, 32, 128, 128), Inception(832, 384, 192, 384, 48, 128, 128),
        nn.AvgPool2d(7), nn.Flatten(), nn.Dropout(0.4), nn.Linear(1024, 1000),
    )  # fmt: skip


def main():
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    torch.manual_seed(1)
    torch.set_num_threads(int(os.environ.get("THREADS", "2")))
    net = googlenet()
    solver = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    images, labels = torch.randn(16, 3, 224, 224), torch.arange(16)
    times = []
    for _ in range(steps + 2):
        start = time.perf_counter()
        solver.zero_grad()
        nn.functional.cross_entropy(net(images), labels).backward()
        solver.step()
        times.append(time.perf_counter() - start)
    print(f"{statistics.median(times[2:]):.4f}")


main()
