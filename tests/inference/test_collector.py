"""What was there before is passed over, what is new is collected, and nothing stays frozen."""

from __future__ import annotations

import gc
import weakref

import pytest

from bayes_glmm.inference.collector import freeze_gc


class Knot:
    """Refers to itself: only a collection frees it."""

    def __init__(self) -> None:
        self.own = self


def test_old_objects_are_passed_over_and_new_ones_collected() -> None:
    old = weakref.ref(Knot())
    with freeze_gc():
        new = weakref.ref(Knot())
        gc.collect()
        assert old() is not None
        assert new() is None
    gc.collect()
    assert old() is None


def test_nothing_stays_frozen_after_an_error() -> None:
    def fail() -> None:
        with freeze_gc():
            assert gc.get_freeze_count()
            raise ValueError("within")

    with pytest.raises(ValueError, match="within"):
        fail()
    assert not gc.get_freeze_count()


def test_what_others_froze_stays_frozen() -> None:
    # not a count of what is frozen: objects whose last reference goes while this test runs leave it
    theirs = Knot()
    gc.freeze()
    try:
        with freeze_gc():
            assert _is_frozen(theirs)
        assert _is_frozen(theirs)
    finally:
        gc.unfreeze()
    assert not _is_frozen(theirs)


def _is_frozen(thing: object) -> bool:
    return not any(one is thing for one in gc.get_objects())
