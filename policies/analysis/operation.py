"""How the values of two functions become one, cell by cell."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """How two values become one. `neutral` leaves the other as it is, `absorbing` wins whatever the other is.

    `absorbing_left` and `neutral_right` are such values on one side only; `alike` is what two equal values become.
    All of them save steps and change no answer. `is_symmetric`: the order does not matter.
    """

    function: Callable[[Hashable, Hashable], Hashable]
    neutral: tuple[Hashable, ...] = ()
    absorbing: tuple[Hashable, ...] = ()
    absorbing_left: tuple[Hashable, ...] = ()
    neutral_right: tuple[Hashable, ...] = ()
    alike: tuple[Hashable, ...] = ()
    is_symmetric: bool = False


AND: Final = Operation(lambda one, other: one and other, neutral=(True,), absorbing=(False,), is_symmetric=True)
OR: Final = Operation(lambda one, other: one or other, neutral=(False,), absorbing=(True,), is_symmetric=True)
WITHOUT: Final = Operation(
    lambda one, other: one and not other, absorbing_left=(False,), neutral_right=(False,), alike=(False,)
)
EQUAL: Final = Operation(lambda one, other: one == other, alike=(True,))
