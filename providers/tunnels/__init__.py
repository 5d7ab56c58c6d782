"""How the deployer reaches one machine that no user is routed to.

``direct`` its private address, from inside a WireGuard connection · ``fly_proxy`` a ``fly proxy`` child for each
machine and port. Both are opened for a whole run and closed with it.
"""

from providers.tunnels.direct import direct
from providers.tunnels.fly_proxy import fly_proxy
from providers.tunnels.protocol import TunnelFailed, Tunnels

__all__ = ["TunnelFailed", "Tunnels", "direct", "fly_proxy"]
