"""As many resources as the configuration says, each of them watching."""

import pulumi

from tests.crash.watching import Watching

config = pulumi.Config()
for number in range(config.require_int("count")):
    Watching(f"watching-{number}", config.require("told"))
