"""Fly's regions and where they are, so that "nearest" means what it means on Fly."""

from functools import cache
from math import asin, cos, inf, radians, sin, sqrt

EARTH_RADIUS_KM = 6371.0

# code: (latitude, longitude) of the airport that the region is named after.
COORDINATES: dict[str, tuple[float, float]] = {
    "ams": (52.31, 4.76),
    "arn": (59.65, 17.92),
    "atl": (33.64, -84.43),
    "bog": (4.70, -74.15),
    "bom": (19.09, 72.87),
    "bos": (42.36, -71.01),
    "cdg": (49.01, 2.55),
    "den": (39.86, -104.67),
    "dfw": (32.90, -97.04),
    "ewr": (40.69, -74.17),
    "eze": (-34.82, -58.54),
    "fra": (50.03, 8.56),
    "gdl": (20.52, -103.31),
    "gig": (-22.81, -43.25),
    "gru": (-23.43, -46.47),
    "hkg": (22.31, 113.91),
    "iad": (38.95, -77.46),
    "jnb": (-26.14, 28.25),
    "lax": (33.94, -118.41),
    "lhr": (51.47, -0.45),
    "mad": (40.47, -3.56),
    "mia": (25.80, -80.29),
    "nrt": (35.77, 140.39),
    "ord": (41.98, -87.90),
    "otp": (44.57, 26.10),
    "phx": (33.43, -112.01),
    "qro": (20.62, -100.19),
    "scl": (-33.39, -70.79),
    "sea": (47.45, -122.31),
    "sin": (1.36, 103.99),
    "sjc": (37.36, -121.93),
    "syd": (-33.95, 151.18),
    "waw": (52.17, 20.97),
    "yul": (45.47, -73.74),
    "yyz": (43.68, -79.63),
}


@cache
def measure_distance(one: str, other: str) -> float:
    """Great-circle distance in kilometres between two region codes; infinite when a code is unknown."""
    if one not in COORDINATES or other not in COORDINATES:
        return inf
    (lat1, lon1), (lat2, lon2) = (
        (radians(lat), radians(lon)) for lat, lon in (COORDINATES[one], COORDINATES[other])
    )
    chord = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(sqrt(min(1.0, chord)))
