"""Puts the API together: the table of its calls, and what is the same for all of them."""

from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from simulator.errors import ApiError
from simulator.http import app_calls, ingress_calls, log_calls, machine_calls, metadata_calls, run_calls
from simulator.http.call import Call, Handler, answer
from simulator.http.envelope import Envelope
from simulator.world import World

DEFAULT_TOKEN = "local"  # noqa: S105 - guards nothing but this machine's own processes
BODY_LIMIT = 1024 * 1024
APPS = "/v1/apps"
APP = "/v1/apps/{app}"
MACHINES = APP + "/machines"
MACHINE = MACHINES + "/{machine_id}"

# method, path, action (the name that rate limits and the history know it by), handler. Machines first: most calls are
# about them, and the router tries one after another.
CALLS: tuple[tuple[str, str, str, Handler], ...] = (
    ("GET", MACHINES, "list_machines", machine_calls.list_machines),
    ("POST", MACHINES, "create_machine", machine_calls.create_machine),
    ("GET", MACHINE, "get_machine", machine_calls.get_machine),
    ("POST", MACHINE, "update_machine", machine_calls.update_machine),
    ("DELETE", MACHINE, "delete_machine", machine_calls.delete_machine),
    ("GET", MACHINE + "/events", "list_events", machine_calls.list_events),
    ("GET", MACHINE + "/versions", "list_versions", machine_calls.list_versions),
    ("POST", MACHINE + "/cordon", "cordon", machine_calls.cordon),
    ("POST", MACHINE + "/uncordon", "uncordon", machine_calls.uncordon),
    ("POST", MACHINE + "/lease", "take_lease", machine_calls.take_lease),
    ("GET", MACHINE + "/lease", "get_lease", machine_calls.get_lease),
    ("DELETE", MACHINE + "/lease", "release_lease", machine_calls.release_lease),
    ("POST", MACHINE + "/start", "start", run_calls.start),
    ("POST", MACHINE + "/stop", "stop", run_calls.stop),
    ("POST", MACHINE + "/suspend", "suspend", run_calls.suspend),
    ("POST", MACHINE + "/restart", "restart", run_calls.restart),
    ("POST", MACHINE + "/signal", "signal", run_calls.send_signal),
    ("GET", MACHINE + "/wait", "wait", run_calls.wait),
    ("POST", MACHINE + "/exec", "exec", run_calls.execute),
    ("GET", MACHINE + "/ps", "list_processes", run_calls.list_processes),
    ("GET", MACHINE + "/metadata", "get_metadata", metadata_calls.get_metadata),
    ("PUT", MACHINE + "/metadata", "put_metadata", metadata_calls.put_metadata),
    ("PATCH", MACHINE + "/metadata", "patch_metadata", metadata_calls.patch_metadata),
    ("GET", MACHINE + "/metadata/{key}", "get_metadata_key", metadata_calls.get_key),
    ("POST", MACHINE + "/metadata/{key}", "set_metadata_key", metadata_calls.set_key),
    ("DELETE", MACHINE + "/metadata/{key}", "delete_metadata_key", metadata_calls.delete_key),
    ("POST", APPS, "create_app", app_calls.create_app),
    ("GET", APP, "get_app", app_calls.get_app),
    ("DELETE", APP, "delete_app", app_calls.delete_app),
    ("GET", APP + "/secrets", "list_secrets", app_calls.list_secrets),
    ("POST", APP + "/secrets", "set_secrets", app_calls.set_secrets),
    ("GET", APP + "/ip_assignments", "list_ips", ingress_calls.list_ips),
    ("POST", APP + "/ip_assignments", "assign_ip", ingress_calls.assign_ip),
    ("DELETE", APP + "/ip_assignments/{ip}", "release_ip", ingress_calls.release_ip),
    ("POST", APP + "/certificates/acme", "request_certificate", ingress_calls.request_certificate),
    ("GET", APP + "/certificates/{hostname}", "get_certificate", ingress_calls.get_certificate),
    ("DELETE", APP + "/certificates/{hostname}", "delete_certificate", ingress_calls.delete_certificate),
    # Of another host on Fly, api.fly.io.
    ("GET", "/api/v1/apps/{app}/logs", "read_logs", log_calls.read_logs),
    ("GET", "/_sim/history", "", app_calls.read_history),
)


def create_app(world: World, token: str = DEFAULT_TOKEN) -> Starlette:
    """The API of a world as an ASGI application; runs on asyncio and trio. `token` is the bearer token to show."""
    app = Starlette(
        routes=[
            Route(path, Endpoint(world, action, handler), methods=[method])
            for method, path, action, handler in CALLS
        ],
        exception_handlers={HTTPException: _show_http_error},
        middleware=[Middleware(Envelope, world=world, token=token)],
    )
    app.router.redirect_slashes = False  # a redirect would be no answer in the API's shape
    return app


@dataclass(frozen=True)
class Endpoint:
    """One call as ASGI: counts it against the rate limit, reads its body, and turns ApiError into an answer."""

    world: World
    action: str
    handler: Handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        request = Request(scope, receive)
        response = await self._respond(request)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        request.state.action = self.action
        params = request.path_params
        try:
            if self.world.limits is not None and self.action:
                self.world.limits.spend(self.action, params.get("machine_id") or params.get("app", ""))
            return await self.handler(Call(self.world, request, await _read_body(request)))
        except ApiError as error:
            return answer(error.body(), error.status)
        except ClientDisconnect:
            return Response(status_code=499)


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    size = 0
    # To the end even when it is too large, without keeping it: an answer before that reaches a client as a reset.
    async for chunk in request.stream():
        size += len(chunk)
        if size <= BODY_LIMIT:
            body += chunk
    if size > BODY_LIMIT:
        raise ApiError(413, f"the body is larger than {BODY_LIMIT} bytes")
    return bytes(body)


async def _show_http_error(request: Request, error: Exception) -> Response:
    """Unknown paths and methods."""
    assert isinstance(error, HTTPException)
    return answer(ApiError(error.status_code, error.detail).body(), error.status_code)
