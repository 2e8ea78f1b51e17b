"""What every worker shares: the law, the ports, the runtime and the adapters. Never deployed by itself."""
