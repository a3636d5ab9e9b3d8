"""A session of clicks on one photo, and what it is made of."""

from .interactive import InteractiveSession
from .objects import ObjectsSession

__all__ = ["InteractiveSession", "ObjectsSession"]
