"""Services of a blueprint: their images are made with it, under ids of their own."""

from collections.abc import Iterable, Mapping

from loopyard.blueprint.models import Blueprint
from loopyard.blueprint.schemas import BlueprintBuildParameters, Service
from loopyard.kit.errors import BadRequest
from loopyard.runtime.images import RegistryLogin


def image_id(blueprint_id: str, name: str) -> str:
    """Return the runtime's id of a service's image."""
    return f"{blueprint_id}.{name}"


def password_place(name: str) -> str:
    """Return the name under which the password for a service's image is held."""
    return f"service.{name}"


def login(service: Service, held: Mapping[str, str]) -> RegistryLogin | None:
    """How the registry of its image is spoken to."""
    password = held.get(password_place(service.name))
    if service.credentials is None or password is None:
        return None
    return RegistryLogin(service.image, service.credentials.username, password)


def required(blueprint: Blueprint | None, names: Iterable[str]) -> list[dict[str, object]]:
    """List the services that a devbox of the blueprint runs besides: `name`, `image` and `environment` of each service.

    Raises:
        BadRequest: The blueprint has no service of a name.
    """
    parameters = {} if blueprint is None else blueprint.parameters
    services = BlueprintBuildParameters.model_validate({**parameters, "name": "services"}).services or []
    known = {service.name: service for service in services}
    found: list[dict[str, object]] = []
    for name in dict.fromkeys(names):
        if blueprint is None or name not in known:
            field = "launch_parameters.required_services"
            there = "none" if not known else ", ".join(known)
            message = f"{field}: there is no service {name}; the blueprint of the devbox has {there}."
            raise BadRequest(message, field=field)
        image = image_id(blueprint.id, name)
        found.append({"name": name, "image": image, "environment": known[name].env or {}})
    return found
