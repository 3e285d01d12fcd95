"""Who answers: the workers, the calls that requests share, and what was observed."""
