"""Calls on a machine's metadata; leases do not fence them."""

from starlette.responses import Response

from simulator import metadata
from simulator.bodies import MetadataValue, PatchMetadata, PutMetadata
from simulator.http.call import Call, answer


async def get_metadata(call: Call) -> Response:
    """All values."""
    return answer(call.machine().metadata)


async def put_metadata(call: Call) -> Response:
    """Replace all values; answers them."""
    body = call.parse(PutMetadata)
    machine = call.living()
    metadata.replace_all(call.world, machine, body.metadata, body.machine_version)
    return answer(machine.metadata)


async def patch_metadata(call: Call) -> Response:
    """Merge values; answers all."""
    body = call.parse(PatchMetadata)
    machine = call.living()
    metadata.merge(call.world, machine, body.metadata, body.machine_version)
    return answer(machine.metadata)


async def get_key(call: Call) -> Response:
    """One value."""
    return answer({"value": metadata.read_key(call.machine(), call.request.path_params["key"])})


async def set_key(call: Call) -> Response:
    """204."""
    value = call.parse(MetadataValue).value
    metadata.write_key(call.world, call.living(), call.request.path_params["key"], value)
    return Response(status_code=204)


async def delete_key(call: Call) -> Response:
    """204, whether it was there or not."""
    metadata.delete_key(call.world, call.living(), call.request.path_params["key"])
    return Response(status_code=204)
