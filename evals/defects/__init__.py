"""Defects planted into the product, not into its tests: does the gate over the suites notice?"""
