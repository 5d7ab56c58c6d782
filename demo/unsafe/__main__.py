"""`python -m demo.unsafe`: two whole demos, one after the other, in about a minute."""

import sys

try:
    from demo.unsafe.command import main

    code = main()
except KeyboardInterrupt:  # while it was still being imported: nothing has been started
    code = 130
sys.exit(code)
