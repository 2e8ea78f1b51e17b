"""The notifier: the alert e-mail that says something is waiting, and whether the notice is served."""
