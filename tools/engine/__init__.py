"""The Pulumi engine: found, or got, and its bin directory printed.

    python -m tools.engine      prints the directory of `pulumi` and its Python programs, got first if need be

Three ways, in this order:

1. `pulumi` on PATH, if it is at least the version of the SDK in requirements.txt, with its Python programs;
2. the SDK's own installer, `pulumi.automation.PulumiCommand.install`, which fetches the official release;
3. a build from the engine's published Go modules, which `cli/go.mod` and `language-host/go.mod` pin.

What 2 and 3 make is kept outside the checkout, under `${XDG_CACHE_HOME:-~/.cache}/bluegreen-fly/engine/`, one
directory a version; remove it whenever you like. A directory appears there whole or not at all, and of two
runs that need the same one, the second waits for the first.

Whoever needs the engine (the demo, the tests, Pulumi's own Automation API) finds `pulumi` on PATH and nowhere
else: the Makefile puts `.venv/bin` and the printed directory first. To run one test without make:

    PATH="$PWD/.venv/bin:$(.venv/bin/python -m tools.engine):$PATH" .venv/bin/python -m pytest tests/…

`.venv/bin` must be first because the Python programs start whatever `python` PATH gives them.
"""
