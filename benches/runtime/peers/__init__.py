"""The peers, a module each. All have

- `PACKAGES`, the distributions whose versions are recorded;
- `PRECISIONS`, what there is to measure;
- `prepare(precision, network)`, which makes a `networks.Network` into a model of its own by its own tools and returns how
  to name it, or raises `Skip` with the reason;

and either `load(model, shape, threads)`, for `worker.py`, giving a function from images (batch, 3, height, width) f32 to
scores and a note, or `measure(model, network, batch, threads, seconds)` and `classes(model, network)`, which give what
`worker.py` prints.
"""


class Skip(Exception):
    """Why something cannot be measured here."""
