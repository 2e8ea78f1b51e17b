"""Mail: handing it to a mail system over SMTP, and the built-in mailbox of the embedded default."""
