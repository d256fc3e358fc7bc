"""How clients come by credentials."""

SCENES = []
