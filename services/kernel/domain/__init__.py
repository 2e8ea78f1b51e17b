"""The law: pure functions over plain facts, standard library only."""
