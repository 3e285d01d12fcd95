"""Frameworks in other versions: isolated environments of them, compared side by side, and searched for a change."""
