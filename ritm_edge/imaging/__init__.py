"""Reading photos and masks, and drawing masks over photos."""
