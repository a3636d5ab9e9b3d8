"""Finds the layers that a user, or a target's own list, names."""

from collections.abc import Callable, Container, Iterable, Mapping

from ritm_edge.errors import UsageError


def find_layers(
    layers: Mapping[str, str],
    beginnings: Iterable[str],
    *,
    optional: Container[str] = (),
    spell: Callable[[str], str] = str,
) -> set[str]:
    """Keys whose layer's name has one of the beginnings.

    Args:
        layers: name of the layer, by any key.
        beginnings: of names, as in the checkpoint.
        optional: beginnings that may match nothing.
        spell: turns a beginning into the spelling of `layers`.

    Raises:
        UsageError: no layer has one of the other beginnings.
    """
    found: set[str] = set()
    for beginning in beginnings:
        matching = {key for key, layer in layers.items() if layer.startswith(spell(beginning))}
        if not matching and beginning not in optional:
            raise UsageError(
                f"no layer is called {beginning}: --sensitivity lists the layers there are."
            )
        found |= matching
    return found
