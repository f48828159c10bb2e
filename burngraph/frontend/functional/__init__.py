"""The functions that users call, one module per family; `burngraph.frontend.public` gathers them."""
