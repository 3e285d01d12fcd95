"""Looking for the worst input of one implementation."""
