"""Health checks over the network, as Fly makes them: a fresh connection each time."""

import ssl

import anyio
import httpx

from simulator.runtime import Finding, Probe

# Machines speak plain HTTP; an empty context spares each client the loading of all certificates.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
OUTPUT_LIMIT = 200


async def probe_network(probe: Probe) -> Finding:
    """Make one check within its timeout."""
    finding = Finding(False, f"timed out after {probe.timeout:g}s")
    with anyio.move_on_after(probe.timeout):
        try:
            finding = await (_probe_http(probe) if probe.type == "http" else _probe_tcp(probe))
        except httpx.TimeoutException:
            pass
        except (OSError, httpx.HTTPError, httpx.InvalidURL) as error:
            finding = Finding(False, str(error)[:OUTPUT_LIMIT] or type(error).__name__)
    return finding


async def _probe_tcp(probe: Probe) -> Finding:
    async with await anyio.connect_tcp(probe.address, probe.port):
        return Finding(True, "connected")


async def _probe_http(probe: Probe) -> Finding:
    url = f"http://{probe.address}:{probe.port}{probe.path}"
    async with (
        httpx.AsyncClient(verify=NO_TLS, trust_env=False, timeout=probe.timeout) as client,
        client.stream(probe.method, url, headers=list(probe.headers)) as response,
    ):
        # To its end, keeping the start: a body that never ends runs into the timeout.
        body = b""
        async for chunk in response.aiter_raw():
            body += chunk[: OUTPUT_LIMIT - len(body)]
        text = f"{response.status_code} {response.reason_phrase}: {body.decode('utf-8', 'replace')}"
        return Finding(response.is_success, text)
