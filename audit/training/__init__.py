"""Training by the policy's recipe: the model itself, its twins, canaries, pretraining."""
