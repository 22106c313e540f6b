"""The models of levels of FORMAT.md, decoding only, written from that page alone: plain loops, no cleverness."""

import math

from rangecode import Fault, Models, scale


def coarse(n):
    return min(27, scale(n) // 6)


def clamp(n, low, high):
    return min(max(n, low), high)


class Shape:
    """How often each magnitude of one side of a codebook will come."""

    def __init__(self, values, slope, least):
        part = lambda value: min(65536, int(abs(value) / abs(values[-1]) * 65536)) if values[-1] else 0
        v = [part(value) for value in values]
        self.guesses = {}
        for j in range(len(v)):
            if len(v) == 1:
                space = 0
            elif j in (0, len(v) - 1):
                space = 2 * (v[1] - v[0] if j == 0 else v[-1] - v[-2])
            else:
                space = v[j + 1] - v[j - 1]
            y = (slope * v[j]) >> 10
            density = ((512 - (y & 255)) << 16) >> (y >> 8) if y >> 8 < 64 else 0
            if j + 1 >= least:
                self.guesses[j + 2 - least] = (((space + 1) * density) >> 8) + 1

    def start(self, model, low, middle, high):
        zero, one = (sum(g for m, g in self.guesses.items() if a <= m < b) for a, b in ((low, middle), (middle, high)))
        model.q = 64 * clamp(65536 * (one + 1) // (zero + one + 2), 1024, 64512)
        model.k = 8

    def class_node(self, model, node, bits):
        depth = node.bit_length() - 1
        half = 1 << (bits - depth - 1)
        first = (node - (1 << depth)) * 2 * half
        self.start(model, 1 << first, 1 << first + half, 1 << first + 2 * half)

    def mantissa_node(self, model, node, c):
        size = 1 << (c - node.bit_length() + 1)
        self.start(model, node * size, node * size + size // 2, (node + 1) * size)


class Neighbourhood:
    """What the weights of a tile so far say about the next."""

    def __init__(self, inputs, height, width):
        self.width, self.area, self.taps = width, height * width, inputs * height * width
        self.rows = [[0] * self.taps for _ in range(3)]
        self.quick, self.lasting = [0] * self.taps, [0] * self.taps
        self.fast = self.medium = self.slow = self.r = 0
        self.begin_row()

    def begin_row(self):
        self.x = self.channel = self.sum = 0

    def edge(self):
        inside = self.x % self.area
        return 0 if inside == 0 else 1 if inside < self.width or inside % self.width == 0 else 2

    def at(self, row, x):
        return self.rows[row][x] if 0 <= x < self.taps else 0

    def mean(self, j):
        return (self.sum * (65536 // j)) >> 12

    def features(self):
        x, A, W = self.x, self.area, self.width
        loud = lambda row, x: 16 * abs(self.at(row, x))
        inside = x % A
        line, column = inside // W, inside % W
        so_far = self.mean(inside) if inside else self.channel
        around = [
            loud(0, x - 1) if column else so_far,
            loud(0, x - W) if line else so_far,
            loud(0, x - W - 1) if line and column else so_far,
        ]
        if A == 1:
            around = [loud(0, x - d) for d in (3, 4, 5)]
        return [
            *(n >> 12 for n in (self.fast, self.medium, self.slow)),
            *(n[x] >> 4 for n in (self.quick, self.lasting)),
            *(loud(0, x - A), loud(0, x - 2 * A), loud(1, x), loud(2, x)),
            *(self.channel, so_far, *around, 256),
        ]

    def signed(self):
        x, A, W = self.x, self.area, self.width
        line, column = x % A // W, x % W
        kernel = [
            self.at(0, x - 1) if column else 0,
            self.at(0, x - W) if line else 0,
            self.at(0, x - W - 1) if line and column else 0,
            self.at(0, x - W + 1) if line and column + 1 < W else 0,
            self.at(0, x - 2) if column > 1 else 0,
            self.at(0, x - 2 * W) if line > 1 else 0,
        ]
        if A == 1:
            kernel = [*(self.at(0, x - d) for d in (3, 4, 5)), self.at(1, x - 1), self.at(1, x + 1), 0]
        return [*kernel, self.at(0, x - A), self.at(0, x - 2 * A), self.at(1, x), self.at(2, x)]

    def push(self, amplitude):
        self.rows[0][self.x] = amplitude
        a = abs(amplitude)
        self.fast += (65536 * a - self.fast) >> 3
        self.medium += (65536 * a - self.medium) >> 5
        self.slow += (65536 * a - self.slow) >> 8
        self.x, self.sum = self.x + 1, self.sum + a
        if self.x % self.area == 0:
            self.channel, self.sum = self.mean(self.area), 0
        if self.x == self.taps:
            for averages, longest in ((self.quick, 14), (self.lasting, 126)):
                rate = 4096 // (2 * min(self.r, longest) + 3)
                for i, a in enumerate(self.rows[0]):
                    averages[i] += ((256 * abs(a) - averages[i]) * rate) >> 11
            self.rows = [[0] * self.taps, self.rows[0], self.rows[1]]
            self.r += 1
            self.begin_row()


class Levels:
    """The model of levels; a subclass mixes."""

    def __init__(self, code, header, row, sides):
        self.code, self.header, self.models = code, header, Models()
        self.near = Neighbourhood(*row)
        self.top = (max(header["L"], header["H"]) - header["least"] + 1).bit_length() - 1
        self.bits = self.top.bit_length()
        self.shapes = None
        if header["slopes"]:
            self.shapes = [Shape(v, slope, header["least"]) for v, slope in zip(sides, header["slopes"])]

    def level(self):
        header, near = self.header, self.near
        self.F = near.features()
        self.E = sum(f * m for f, m in zip(self.F, header["M"]))
        self.e = self.step(self.E)
        if self.zero():
            near.push(0)
            return 0
        self.predict()
        negative = self.sign() if header["L"] and header["H"] else int(header["H"] == 0)
        self.u = 31 - self.s if negative else self.s
        if header["L"] and header["H"] and not header["ranked"]:
            self.e = self.step(self.pulled(-self.P if negative else self.P))
        self.side = negative if header["ranked"] else 0
        c = self.magnitude_class()
        if c > self.top:
            raise Fault("a magnitude has more bits than the largest")
        m = self.mantissa(c)
        a = min(4095, math.isqrt(256 * m))
        near.push(-a if negative else a)
        magnitude = m - 1 + header["least"]
        if magnitude > header["L" if negative else "H"]:
            raise Fault("a level lies beyond the largest")
        return -magnitude if negative else magnitude

    def shaped(self, context, node, c=None):
        """The model of a context; a new one starts from the codebook."""
        if self.shapes and context not in self.models:
            shape, model = self.shapes[self.side], self.models[context]
            shape.class_node(model, node, self.bits) if c is None else shape.mantissa_node(model, node, c)
        return self.models[context]

    def zero(self):
        edge = self.near.edge()
        model = self.models["zero", edge, self.e]
        for d in range(1, 8):
            for e in (self.e - d, self.e + d):
                if model.k == 0 and 0 <= e < 64:
                    model.start_from(self.models["zero", edge, e])
        return self.code.bit(model)

    def step(self, E):
        return clamp(scale(E) - max(0, self.header["top"] - 63), 0, 63)

    def predict(self):
        self.P = sum(s * n for s, n in zip(self.near.signed(), self.header["N"]))
        r = clamp(((scale(abs(self.P)) - scale(self.E) - self.header["even"]) >> 1) + 12, 0, 15)
        self.s = 15 - r if self.P < 0 else 16 + r

    def pulled(self, P):
        down = 2 + self.header["even"] // 8
        return max(self.E >> 2, min(2**31 - 1, self.E + (P >> down if down >= 0 else P << -down)))

    def sign(self):
        return self.code.bit(self.models["sign", self.s])

    def magnitude_class(self):
        own = lambda node: self.models["class", self.side, self.e >> 1, node]
        return self.code.tree(self.bits, own, lambda node: self.shaped(("classes", self.side, node), node))

    def mantissa(self, c):
        m, head = 1, c if c <= 8 else 4
        for i in range(head):
            model = self.shaped(("mantissa", self.side, c, m), m, c)
            first = self.models["first", self.side, c, self.e >> 2]
            m = 2 * m + (self.code.bit(first, model) if i == 0 else self.code.bit(model))
        return m << (c - head) | self.code.plain(c - head)


STRETCH = [round(256 * math.log((i + 0.5) / (4096 - (i + 0.5)))) for i in range(4096)]
SQUASH = [round(65536 / (1 + math.exp((2048 - i) / 256))) for i in range(4096)]


class Mixed(Levels):
    """The mixed model of levels."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.weights = {}

    def mix(self, models, chosen, start):
        for model in models[1:]:
            model.start_from(models[0])
        weights = self.weights.setdefault(chosen, [start] * len(models))
        l = [STRETCH[model.p() >> 4] for model in models]
        t = clamp(sum(a * w for a, w in zip(l, weights)) >> 16, -2047, 2047)
        p = clamp(SQUASH[t + 2048], 32, 65504)
        bit = self.code.coin(p)
        error = 65536 * bit - p
        for i, model in enumerate(models):
            weights[i] = clamp(weights[i] + ((l[i] * error) >> 15), -(2**20), 2**20)
            model.learn(bit)
        return bit

    def zero(self):
        F, e, j = self.F, self.e, min(63, self.near.x % self.near.area)
        contexts = [e, (tuple(F[i] > 128 for i in (5, 7, 8, 11, 12, 13)), e >> 2), (j, coarse(F[10]))]
        return self.mix([self.models["zero", i, c] for i, c in enumerate(contexts)], ("zero", e >> 2, j), 21000)

    def sign(self):
        S = [(s > 0) - (s < 0) for s in self.near.signed()]
        contexts = [self.s, (S[0], S[1], S[6], S[2]), (S[8], S[9], S[7])]
        return self.mix([self.models["sign", i, c] for i, c in enumerate(contexts)], "sign", 21000)

    def magnitude_class(self):
        F, side, node, j = self.F, self.side, 1, min(63, self.near.x % self.near.area)
        contexts = [self.e, coarse((F[5] + F[10] + F[11] + F[12]) >> 2), (self.e >> 2, self.u)]
        for _ in range(self.bits):
            first = self.shaped(("class", side, node), node)
            others = [self.models["class", side, node, i, c] for i, c in enumerate(contexts)]
            node = 2 * node + self.mix([first, *others], ("class", side, node, j), 16000)
        return node - (1 << self.bits)

    def mantissa(self, c):
        m, head = 1, c if c <= 8 else 4
        for i in range(head):
            key = ("mantissa", self.side, c, m)
            others = [self.models[key + context] for context in (("e", self.e >> 2), ("u", self.u))]
            m = 2 * m + self.mix([self.shaped(key, m, c), *others], ("mantissa", c, i), 21000)
        return m << (c - head) | self.code.plain(c - head)
