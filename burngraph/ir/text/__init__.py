"""IR text: `print_graph` writes it, `parse` reads it. Importing this package makes str(graph) the text."""

from burngraph.ir.graph import Graph
from burngraph.ir.text.parse import parse
from burngraph.ir.text.print import print_graph

# Set here because printing knows graphs, not the other way round.
Graph.__str__ = print_graph  # type: ignore[method-assign, assignment]

__all__ = ["parse", "print_graph"]
