"""The HTTP clients of a deployment: what all of them keep to, and the certificates that they share."""

from __future__ import annotations

import ssl
from functools import cache
from typing import Any

import httpx


class NoCookies(httpx.Cookies):
    """What a server wants to be kept is not: every question has to come from a stranger.

    An app that ties a user to a machine by a cookie would go on answering from that machine, whoever else is routed.
    """

    def extract_cookies(self, response: httpx.Response) -> None:
        """Keep none of them."""


class Client(httpx.AsyncClient):
    """Sends no cookie that a server has set."""

    @property
    def cookies(self) -> httpx.Cookies:
        """None, whatever was answered before."""
        return NoCookies()

    @cookies.setter
    def cookies(self, cookies: object) -> None:
        raise TypeError("this client keeps no cookies")


@cache
def _trusted() -> ssl.SSLContext:
    """Read once: each client of its own would take some 20 ms, and an update has five (a tenth of its provider)."""
    return httpx.create_ssl_context(trust_env=False)


def client(**options: Any) -> httpx.AsyncClient:
    """A client that follows no redirect (a token must not travel), keeps no cookie, and takes nothing from its
    surroundings, such as a proxy or a ``.netrc``. ``options`` are httpx's.
    """
    return Client(trust_env=False, follow_redirects=False, verify=_trusted(), **options)
