"""One frozen class a message version. A class never changes once published; a change is a new version."""
