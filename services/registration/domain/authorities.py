"""When two declarations are of one and the same local authority."""

from collections.abc import Sequence

from contracts.registration import CityKind, Place
from services.registration.domain.names import normalise


def claims(kind: CityKind, name: str, places: Sequence[Place]) -> list[str]:
    """What only one authority can be at a time.

    A place has one municipality and is in one metropolitan area; districts of one place differ by name, and
    associations and others are known by their name in their country.
    """
    if kind in {CityKind.MUNICIPALITY, CityKind.METROPOLITAN_AREA}:
        return sorted(f"{kind}:{place.source}:{place.code}" for place in places)
    if kind is CityKind.DISTRICT:
        return sorted(f"{kind}:{place.source}:{place.code}:{normalise(name)}" for place in places)
    return [f"{kind}:{places[0].country}:{normalise(name)}"]
