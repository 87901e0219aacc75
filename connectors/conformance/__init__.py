"""What every connector must do, shown on its own simulator: `caybeo connectors check NAME`."""
