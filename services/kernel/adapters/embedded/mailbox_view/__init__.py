"""The mails of the built-in mailbox as pages on loopback, each with buttons for what mail systems send back."""

from services.kernel.adapters.embedded.mailbox_view.site import mailbox_view

__all__ = ["mailbox_view"]
