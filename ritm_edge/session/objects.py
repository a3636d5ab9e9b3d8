"""Several objects of one photo."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..runtimes.base import Runtime
from .interactive import InteractiveSession

MOST = 255  # ids of a label map of 8 bits


class ObjectsSession:
    """A session for each object of one photo: clicks, mask and history are its own.

    Args:
        runtime: see `runtimes.base.Runtime`.
        image: uint8 [H, W, 3], RGB; copied once for all objects.
        options: of every `InteractiveSession`.

    Raises:
        ShapeError, UsageError: as `InteractiveSession`.
    """

    def __init__(self, runtime: Runtime, image: NDArray[np.uint8], **options: Any) -> None:
        self._first = InteractiveSession(runtime, **options)
        self._first.set_image(image)
        self._sessions: list[InteractiveSession] = []

    @property
    def objects(self) -> Sequence[InteractiveSession]:
        """The sessions, in the order of the ids 1, 2, … of `label_map`."""
        return tuple(self._sessions)

    def add(self) -> InteractiveSession:
        """A session for one object more, behind the others.

        Raises:
            UsageError: there are 255.
        """
        if len(self._sessions) == MOST:
            raise UsageError(f"there are {MOST} objects, as many as a label map holds: remove one.")
        self._sessions.append(self._first.on_same_photo())
        return self._sessions[-1]

    def remove(self, session: InteractiveSession) -> None:
        """Forget an object; those behind it move up.

        Raises:
            UsageError: it is none of these.
        """
        if session not in self._sessions:
            raise UsageError("the session is none of this photo's objects: pass one of `objects`.")
        self._sessions.remove(session)

    def label_map(self) -> NDArray[np.uint8]:
        """uint8 [H, W]: 0 where there is no object, else its id; later objects lie on top."""
        labels = np.zeros(self._first.mask.shape, np.uint8)
        for number, session in enumerate(self._sessions, start=1):
            labels[session.mask] = number
        return labels
