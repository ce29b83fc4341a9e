"""What every method must fulfil, of the project or not: checks, and a skeleton to start from.

``python -m uad.contract OVERLAY.yaml`` checks the methods whose code an overlay names,
``python -m uad.contract.new NAME`` writes a method that works, with its overlay. pytest is needed.
"""
