"""EC2 by either client."""

SCENES = []
