"""The whole deploy on real parts, which `demo.local` lends.

`python -m demo` goes from v1 to v2 under load; `python -m demo.unsafe` does that in two orders, side by side.
"""
