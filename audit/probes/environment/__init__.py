"""What it takes of energy and time."""
