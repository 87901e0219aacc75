"""The nightly work: Prefect flows, the steps inside them, and the command line."""
