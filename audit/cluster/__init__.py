"""Forward passes and trainings on the workers of a Ray cluster."""
