"""What the files that we export hold, and how they are read without trusting them."""
