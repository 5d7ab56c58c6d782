"""Calls on an app's public addresses and certificates."""

from starlette.responses import Response

from simulator import ingress
from simulator.bodies import AssignIp, RequestCertificate
from simulator.http.call import Call, answer


async def list_ips(call: Call) -> Response:
    """All of them."""
    return answer({"ips": ingress.show_ips(call.world.find_app(call.app))})


async def assign_ip(call: Call) -> Response:
    """The new address."""
    kind = call.parse(AssignIp).type
    return answer(ingress.assign_ip(call.world, call.world.find_app(call.app), kind))


async def release_ip(call: Call) -> Response:
    """An empty object."""
    ingress.release_ip(call.world.find_app(call.app), call.request.path_params["ip"])
    return answer({})


async def request_certificate(call: Call) -> Response:
    """201 with the certificate."""
    hostname = call.parse(RequestCertificate).hostname
    return answer(ingress.request_certificate(call.world.find_app(call.app), hostname), 201)


async def get_certificate(call: Call) -> Response:
    """The certificate."""
    app = call.world.find_app(call.app)
    return answer(ingress.show_certificate(app, call.request.path_params["hostname"]))


async def delete_certificate(call: Call) -> Response:
    """An empty object."""
    ingress.delete_certificate(call.world.find_app(call.app), call.request.path_params["hostname"])
    return answer({})
