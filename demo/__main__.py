"""`python -m demo`: the whole deploy on real parts in under a minute."""

import sys

try:
    from demo.command import main

    code = main()
except KeyboardInterrupt:  # while it was still being imported: nothing has been started
    code = 130
sys.exit(code)
