"""What stands in a model's folder, read without executing any of it."""
