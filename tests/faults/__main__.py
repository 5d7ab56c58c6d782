"""``python -m tests.faults``: play the whole matrix and write its table anew."""

from tests.faults.table import write

if __name__ == "__main__":
    raise SystemExit(write())
