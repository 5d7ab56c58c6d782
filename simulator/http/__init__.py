"""The Machines API over HTTP: an ASGI application, on a socket or in process."""

from simulator.http.application import create_app

__all__ = ["create_app"]
