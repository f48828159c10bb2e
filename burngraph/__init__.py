"""burngraph (public names are filled in by the lead once every room imports)."""
