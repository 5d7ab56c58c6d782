"""The whole deploy on real parts: `python -m demo` goes from v1 to v2 under load, `demo.unsafe` in two orders.

`demo.local` lends the parts.
"""
