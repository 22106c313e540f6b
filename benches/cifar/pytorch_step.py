"""Seconds of a training step of the zoo's `vgg16_cifar10_half` in PyTorch, on the CPU:

    python3 benches/cifar/pytorch_step.py [BATCH] [STEPS] [THREADS]

The same layers, SGD with Nesterov momentum, random images; prints the median."""

import statistics
import sys
import time

import torch
from torch import nn

BATCH, STEPS, THREADS = (int(a) for a in (sys.argv[1:] + ["128", "20", "2"][len(sys.argv) - 1 :]))
WIDTHS = [(2, 32), (2, 64), (3, 128), (3, 256), (3, 256)]


def net():
    layers, inputs = [], 3
    for count, width in WIDTHS:
        for _ in range(count):
            layers += [nn.Conv2d(inputs, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            inputs = width
        layers.append(nn.MaxPool2d(2))
    layers.append(nn.Flatten())
    for _ in range(2):
        layers += [nn.Linear(inputs, 512), nn.ReLU(inplace=True)]
        inputs = 512
    return nn.Sequential(*layers, nn.Linear(512, 10))


def median(model, images):
    labels = torch.randint(10, (BATCH,))
    solver = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    times = []
    for _ in range(STEPS + 2):
        start = time.perf_counter()
        solver.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        solver.step()
        times.append(time.perf_counter() - start)
    return statistics.median(times[2:])


torch.manual_seed(1)
torch.set_num_threads(THREADS)
images = torch.randn(BATCH, 3, 32, 32)
print(f"torch {torch.__version__}, {THREADS} threads, batch {BATCH}")
print(f"plain: {median(net(), images):.3f} s a step")
last = {"memory_format": torch.channels_last}
print(f"channels last: {median(net().to(**last), images.to(**last)):.3f} s a step")
