"""Who may call, and how it is proved: one module a provider. Each verifies a raw body and cuts it into events."""
