"""The machines' private network in virtual time: what a tunnel to scripted machines reaches."""

from dataclasses import dataclass

import anyio
import httpx

from simulator.runtime_virtual import VirtualRuntime


@dataclass(frozen=True)
class PrivateNetwork(httpx.AsyncBaseTransport):
    """Carries `http://<private_ip>:<port>/...` to the machine with that address, whatever the port.

    The request's own read timeout holds. Errors are those of a socket: ConnectError where no machine is up at the
    address, ReadError where it ends before it has answered.
    """

    runtime: VirtualRuntime

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        body = await request.aread()
        target = request.url.raw_path.decode("ascii")
        try:
            with anyio.fail_after(request.extensions.get("timeout", {}).get("read")):
                status, content = await self.runtime.request(
                    self._find(request.url.host), request.method, target, body
                )
        except ConnectionRefusedError as error:
            raise httpx.ConnectError(str(error), request=request) from None
        except ConnectionResetError as error:
            raise httpx.ReadError(str(error), request=request) from None
        except TimeoutError:
            raise httpx.ReadTimeout("no answer in time", request=request) from None
        return httpx.Response(status, content=content, request=request)

    def _find(self, address: str) -> str:
        programs = self.runtime.programs.values()
        return next((p.boot.machine_id for p in programs if p.boot.address == address), "")
