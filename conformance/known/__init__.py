"""What is known to deviate, and how a finding is matched with it."""
