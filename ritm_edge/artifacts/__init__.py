"""What exported files contain, and how they are read without trusting them."""
