"""Undo and redo of edits to a sequence of clicks."""

from .state import State

# The states that the clicks lead to, one after the other, behind the one before the first click.
Chain = tuple[State, ...]


class History:
    """Every sequence of clicks that an edit left behind, and which of them is shown.

    Sequences share the states that they have in common.
    """

    def __init__(self, first: State) -> None:
        self._versions: list[Chain] = [(first,)]
        self._shown = 0

    @property
    def chain(self) -> Chain:
        """What is shown."""
        return self._versions[self._shown]

    def append(self, chain: Chain) -> None:
        """Show `chain`; what was undone is forgotten."""
        self._versions[self._shown + 1 :] = [chain]
        self._shown += 1

    def move(self, steps: int) -> bool:
        """Go back (−1) or forth (1); False, and nothing changed, where there is no such edit."""
        possible = 0 <= self._shown + steps < len(self._versions)
        self._shown += steps if possible else 0
        return possible
