"""Gates that a policy can be put through by itself: its cases, and the promises that hold under every policy.

They find; whoever runs them writes down what they found, where publishing looks (`graph.lifecycle.gates`).
"""
