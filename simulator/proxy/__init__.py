"""The routing proxy: takes HTTP and WebSocket traffic on one port and brings it to the apps' machines.

From the outside in:

    server        accepts connections; reads requests from each until it ends
    client        the client's side of a connection: heads, bodies, answers, within bounds
    exchange      one request: picks a machine, follows replays, tries others, holds
    conversation  one request with one machine: sends it, relays the answer
    upstream      the machine's side: one connection for one request
    pipe          both sides after a WebSocket upgrade: bytes, no parsing
    trace         what the history learns of a request
    route         PURE: which app, what the client asked for, where a request may go next
    head          PURE: what a proxy changes in the heads that pass it

A change of routes decides only about requests that have no machine yet: open connections live as long as
their machine does. Each request on a kept client connection is routed anew.
"""

from simulator.proxy.server import serve

__all__ = ["serve"]
