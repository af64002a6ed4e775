"""Places for temporaries: the first that is free, never one that is in use."""

import random

from autotrace.kernels.arena import arranged


def by_search(used, sizes):
    """The same by looking at all that is in use."""
    places = {}
    for slot, (first, _) in sorted(used.items(), key=lambda item: item[1]):
        taken = sorted(
            (places[other], places[other] + sizes[other])
            for other in places
            if used[other][1] >= first and sizes[other]
        )
        place = 0
        for start, end in taken:
            if place + sizes[slot] <= start:
                break
            place = max(place, end)
        places[slot] = place if sizes[slot] else 0
    return places


def test_first_fit():
    rng = random.Random(0)
    for _ in range(200):
        used = {}
        for slot in range(rng.randint(0, 30)):
            first = rng.randint(0, 20)
            used[slot] = first, first + rng.randint(0, 8)
        sizes = {slot: 64 * rng.choice([0, 1, 1, 2, 3, 7, 20]) for slot in used}
        assert arranged(used, sizes) == by_search(used, sizes)
