"""`python -m demo.unsafe`: the same deploy under the same load in Fly's own order, beside this project's."""
