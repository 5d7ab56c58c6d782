"""Local Fly and local S3 on this machine, with the example app's images.

with local_platform(Path("somewhere")) as platform:  # on free ports
    platform.api_url, platform.proxy_url, platform.s3_url, platform.history

`python -m demo.local` runs the same on the ports that the dev stack names.
"""

from demo.local.platform import BUCKET, CREDENTIALS, PASSPHRASE, Platform, Ports, local_platform
from demo.local.process import CHECKOUT, NotReady

__all__ = [
    "BUCKET",
    "CHECKOUT",
    "CREDENTIALS",
    "PASSPHRASE",
    "NotReady",
    "Platform",
    "Ports",
    "local_platform",
]
