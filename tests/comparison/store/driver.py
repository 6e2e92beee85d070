"""A driver to be killed: `python -m tests.comparison.store.driver STORE` compares, and writes a line a run."""

import sys
import time

from tests.comparison.stored import build_line, compare

MANY = {"learning_rates": [0.1, 0.03, 0.01, 1e38], "seeds": 3}


def build_slowly():
    """Gives a kill time to fall into a run."""
    time.sleep(0.1)
    return build_line()


if __name__ == "__main__":
    compare(sys.argv[1], build_slowly, verbose=1, **MANY)
