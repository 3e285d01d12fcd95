"""Which implementation meets a need."""
