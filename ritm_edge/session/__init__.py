"""A session of clicks on one photo, and what it is made of."""

from .interactive import InteractiveSession

__all__ = ["InteractiveSession"]
