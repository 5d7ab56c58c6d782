"""Calls on apps and their secrets, and the simulator's own call for its history."""

from starlette.responses import Response

from simulator import apps, secrets
from simulator.bodies import CreateApp, SetSecrets
from simulator.errors import bad_request
from simulator.http.call import Call, answer


async def create_app(call: Call) -> Response:
    """201 with the app."""
    return answer(apps.show_app(apps.create_app(call.world, call.parse(CreateApp))), 201)


async def get_app(call: Call) -> Response:
    """The app."""
    return answer(apps.show_app(call.world.find_app(call.app)))


async def delete_app(call: Call) -> Response:
    """202 once its machines are gone."""
    await apps.delete_app(call.world, call.app, call.flag("force"))
    return answer({}, 202)


async def list_secrets(call: Call) -> Response:
    """Names and digests."""
    return answer({"secrets": secrets.show_secrets(call.world.find_app(call.app))})


async def set_secrets(call: Call) -> Response:
    """Set and, with null, remove; answers what there is now."""
    body = call.parse(SetSecrets)
    app = call.world.find_app(call.app)
    secrets.set_secrets(app, body.values, call.world.clock.now())
    return answer({"secrets": secrets.show_secrets(app), "version": app.secrets_version})


async def read_history(call: Call) -> Response:
    """Records after number `after`, of one `kind` or of all."""
    after = call.query("after") or "0"
    if not after.isascii() or not after.isdigit() or len(after) > 15:
        raise bad_request("after must be the number of a record")
    return answer(call.world.history.read(int(after), call.query("kind")))
