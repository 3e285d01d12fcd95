"""What a run leaves behind: its lines on the disk, and what they say together."""
