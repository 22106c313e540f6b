"""The range coder of FORMAT.md, decoding only, written from that page alone: plain loops, no cleverness."""


class Fault(Exception):
    """What is wrong with the bytes."""


def scale(n):
    """Eighths of an octave."""
    if n < 8:
        return max(n, 0)
    b = n.bit_length()
    return 8 * (b - 3) + ((n >> (b - 4)) & 7)


class Model:
    """An estimate of how probable a one is."""

    __slots__ = ("q", "k")

    def __init__(self):
        self.q, self.k = 1 << 21, 0

    def p(self):
        return min(max(self.q >> 6, 32), 65504)

    def learn(self, bit):
        rate = 655360 // (10 * self.k + 16)
        if bit:
            self.q += (((2**22 - 1 - self.q) >> 6) * rate) >> 10
        else:
            self.q -= ((self.q >> 6) * rate) >> 10
        self.k = min(self.k + 1, 1023)

    def start_from(self, other):
        if self.k == 0:
            self.q, self.k = other.q, min(other.k, 4)


class Models(dict):
    """A model for each context, new when it is met for the first time."""

    def __missing__(self, context):
        self[context] = Model()
        return self[context]


class RangeCode:
    """Decodes one piece of range code."""

    def __init__(self, data):
        self.data, self.read = data, 8
        self.range, self.code = 2**64 - 1, int.from_bytes(data[:8].ljust(8, b"\0"), "big")

    def normalize(self):
        if self.range < 2**32:
            self.range <<= 32
            word = self.data[self.read : self.read + 4].ljust(4, b"\0")
            self.code = (self.code << 32 | int.from_bytes(word, "big")) % 2**64
            self.read += 4
            if self.read > len(self.data) + 8:
                raise Fault("range code ends too early")

    def coin(self, p):
        bound = (self.range >> 16) * p
        bit = self.code < bound
        if bit:
            self.range = bound
        else:
            self.code -= bound
            self.range -= bound
        self.normalize()
        return int(bit)

    def bit(self, model, common=None):
        """A bit under a model, which may start from a common one."""
        if common is not None:
            model.start_from(common)
        bit = self.coin(model.p())
        model.learn(bit)
        if common is not None:
            common.learn(bit)
        return bit

    def uniform(self, n):
        self.range //= n
        value = self.code // self.range
        if value >= n:
            raise Fault("range code lies beyond its range")
        self.code -= value * self.range
        self.normalize()
        return value

    def plain(self, width):
        high = self.uniform(1 << (width - 16)) if width > 16 else 0
        return high << min(width, 16) | self.uniform(1 << min(width, 16))

    def tree(self, width, models, common=None):
        """A value of `width` bits; `models` and `common` give the model of a node."""
        node = 1
        for _ in range(width):
            node = 2 * node + self.bit(models(node), common(node) if common else None)
        return node - (1 << width)

    def finish(self):
        if self.read < len(self.data):
            raise Fault("range code goes on after its end")
