"""A headless Chromium, which the tests of pages run: from PATH, else from the system's packages, where that is allowed.

Nothing of it is kept by this project: a package manager that installed it knows how to remove it.
"""
