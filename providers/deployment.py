"""What Pulumi's calls do: each translated into one deployment, one look, or none.

Apart from the provider itself, which a program loads for its name alone: this loads the whole deployer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, ReadResult, UpdateResult
from pydantic import ValidationError

from providers import claims, inputs, outputs, running, showing
from providers.bluegreen.deploy import Request, preview
from providers.bluegreen.observe import app_is_gone
from providers.bluegreen.scene import Goal
from providers.bluegreen.spec import Spec
from providers.changes import changes
from providers.console import Say, console
from providers.partial import told_to_engine
from providers.planning import unplanned

Props = dict[str, Any]
DEFAULT_ORG = Spec.model_fields["org"].default


def check(olds: Props, news: Props) -> CheckResult:
    """Refuse what is wrong before any call. A first deploy's plan is shown here: it has no diff."""
    failures = [CheckFailure(fault.key, fault.reason) for fault in inputs.faults(news) + _frozen(olds, news)]
    if not olds and not failures:
        with console() as say:
            _diff({}, news, say)
    return CheckResult(news, failures)


def diff(olds: Props, news: Props) -> DiffResult:
    """What an ``up`` would do, shown on the resource's own row."""
    with console() as say:
        return _diff(olds, news, say)


def create(props: Props) -> CreateResult:
    """The first deploy. Raises ``DeploymentFailed``, as all that deploy."""
    spec = inputs.parse(props)
    with told_to_engine():
        outs = running.run(spec, _request("deploy", {}, ingress=_ingress(props)), {}, props)
    claims.claim("deployment", spec.app)
    return CreateResult(spec.app, props | outs)


def update(olds: Props, news: Props) -> UpdateResult:
    """A rollout, or what is left of one. Its result holds all of the new properties."""
    spec = inputs.parse(news)
    before = _spec_before(olds)
    secrets = inputs.changed_secrets(before, spec) | outputs.blue_secrets_of(olds)
    proof = before.state_proof if before else None
    request = _request("deploy", olds, previous_secrets=secrets, previous_proof=proof, ingress=_ingress(news))
    with told_to_engine():
        return UpdateResult(news | running.run(spec, request, olds, news))


def read(id_: str, props: Props) -> ReadResult:
    """What is there, with each difference to what was deployed; no id where the app is gone."""
    spec = inputs.parse(props)
    with told_to_engine():
        if running.in_context(spec, running.silent, app_is_gone):
            return ReadResult(None, {})
        scene, steps = running.in_context(
            spec, running.silent, lambda ctx: preview(ctx, _request("deploy", props))
        )
    unfinished = steps[0].phase if steps else None
    found = outputs.of_scene(spec, scene, props, unfinished)
    if found["drift"]:
        with console() as say:
            say("\n".join(found["drift"]))
    return ReadResult(id_, props | found)


def delete(props: Props) -> None:
    """Everything that is ours goes, once its state is proven to be saved."""
    if claims.is_claimed("deployment", inputs.parse(props).app):
        return  # renamed without an alias: the resource of the new name has the app now, and it serves
    request = _request("destroy", props, owns_app=bool(props.get("app_created")))
    with told_to_engine():
        running.run(inputs.parse(props), request, props, props)


def _request(goal: Goal, olds: Mapping[str, Any], **more: Any) -> Request:
    known_generation, expected = outputs.generation_of(olds), outputs.machine_ids_of(olds)
    return Request(goal, known_generation=known_generation, expected=expected, **more)


def _ingress(props: Mapping[str, Any]) -> str:
    """What the ingress resource made, where there is one. No part of the spec: it makes no release."""
    return str(props.get("ingress_made") or "")


def _frozen(olds: Props, news: Props) -> list[inputs.Fault]:
    """An app stays in its organization: a replacement would find the same app and then destroy it."""
    before, after = olds.get("org") or DEFAULT_ORG, news.get("org") or DEFAULT_ORG
    if not olds or before == after or "org" in inputs.unknown_keys(news):
        return []
    return [inputs.Fault("org", f"org: cannot change from {before} to {after}; `fly apps move` moves an app")]


def _diff(olds: Props, news: Props, say: Say) -> DiffResult:
    later = inputs.unknown_keys(news)
    old, new = _spec_before(olds) if olds else None, inputs.parse_known(news)
    if new is None:
        say(f"the rollout is planned once these are known: {', '.join(later)}")
        return DiffResult(changes=True)
    if old and old.app != new.app:
        say(f"REPLACEMENT: app {old.app} is drained, saved and destroyed before {new.app} is created")
        showing.write(say, new.app, unplanned(new.app, replaces=old.app))
        return DiffResult(changes=True, replaces=["app"], delete_before_replace=True)
    steps = showing.show_plan(new, _request("deploy", olds), say, changes(old, new, later), later)
    return DiffResult(changes=bool(later) or old != new or bool(steps))


def _spec_before(olds: Props) -> Spec | None:
    """The spec of the last ``up``; ``None`` where today's schema does not read it, which counts as a change."""
    try:
        return inputs.parse(olds)
    except ValidationError:
        return None
