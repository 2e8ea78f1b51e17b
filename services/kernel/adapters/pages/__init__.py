"""One look for all pages: templates, words in two languages, a stylesheet and icons. No script, no build step."""

from services.kernel.adapters.pages.pages import Pages

__all__ = ["Pages"]
