"""What crosses a wall between services: events, one module per owning domain, and the topic registry."""
