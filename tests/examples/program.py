"""The example app's program, loaded by a fork server (`machines`): its machines are forks, with all of it imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection

import boto3  # loaded by a machine in its first moments: half of what a machine loads

from examples.rooms import s3
from examples.rooms.__main__ import main

LOADED = (boto3, s3)


def become(argv: list[str], environ: Mapping[str, str], log: Connection) -> None:
    """What `python -m examples.rooms ARGV…` does in this environment, with its stderr in the pipe.

    But for the interpreter's own end, which a fork has not: that is seen where the command itself runs, as in the demo.
    """
    os.dup2(log.fileno(), sys.stderr.fileno())
    log.close()
    os.environ.clear()
    os.environ.update(environ)
    sys.argv[1:] = argv
    sys.exit(main())
