"""The judgement of requests: the same at the door, where a person sees it at once, and where notices are rendered."""
