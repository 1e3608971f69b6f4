"""Pictures of processed events: camera images, reconstructed against true direction."""

__all__: list[str] = []
