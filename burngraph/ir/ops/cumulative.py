"""Running products, maxima and minima."""
