"""The simulated user: which clicks it makes, and how good the masks are after each of them."""
