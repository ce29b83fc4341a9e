"""Named generators."""

from uad.base import seeding


def test_same_name_same_numbers():
    first, second = (seeding.generator(1, "model", "fold", 3).random(5) for _ in range(2))
    assert (first == second).all()


def test_names_seeds_and_their_order_matter():
    values = {
        seeding.derive(*names)
        for names in [
            (1, "a", 2),
            (1, "a", 3),
            (2, "a", 2),
            (1, 2, "a"),
            (1, "a2"),
            (1, "a", 2, ""),
        ]
    }
    assert len(values) == 6


def test_derived_seeds_fit_every_library():
    assert all(0 <= seeding.derive(7, i) < 2**63 for i in range(100))
