"""As many apps as the configuration says, all of one image that is built in the same program."""

import pulumi

from components import BlueGreenFlyApp, BlueGreenFlyAppArgs
from tests.engine.many.built import Built

config = pulumi.Config()
regions = config.get_object("regions_of") or {}
built = Built("image", config.require("image"))
for number in range(config.require_int("count")):
    app = BlueGreenFlyApp(
        f"app-{number}",
        BlueGreenFlyAppArgs(
            app=f"rooms-{number}",
            image=built.image,
            regions=regions.get(f"rooms-{number}", {"ams": 1}),
            services=config.require_object("services"),
            cutover="overlap",
            tunnel="direct",
            tests=config.require_object("tests"),
            routing_probe={"path": "/version", "machine_key": "machine_id"},
            public_url=f"{config.require('front')}/rooms-{number}",
            api_url=config.require("api_url"),
        ),
    )
    pulumi.export(f"rooms-{number}", app.serving)
