"""What executors of this machine do alike."""
