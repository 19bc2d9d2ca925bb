"""What the platform runs on: the local stack, and the topics, users and access rules made from the registry."""
