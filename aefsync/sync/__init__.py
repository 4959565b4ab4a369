"""The engine: opens replicas, surveys them, repairs them.  Everything it has to say are events (`events`)."""
