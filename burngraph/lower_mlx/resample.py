"""Reading images between their pixels."""
