"""A smoke test of a new cluster, as a team would write its own: the dev stack's `command` test.

    argv: [python, -m, examples.smoke]

The deployer runs it beside itself and tells it, in its environment, what it is about: `BLUEGREEN_RELEASE`,
`BLUEGREEN_REGIONS`, and in one order `BLUEGREEN_MACHINES` and `BLUEGREEN_URLS`, each separated by spaces.

It starts in the project's folder (where Pulumi.yaml is), from wherever `pulumi` was called. `python` is that of the
project's virtual environment: Pulumi puts its folder first on the PATH of dynamic providers, and a command inherits
that. Both seen with Pulumi 3.259.0.
"""
