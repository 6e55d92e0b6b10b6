"""Benchmarks of speed and cost, each against baselines that run side by side with this project."""
