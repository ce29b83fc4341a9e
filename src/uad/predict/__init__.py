"""From a stranger's scan to an anomaly map on that scan, and models that can be handed on."""
