"""What an operator configures: environment, addresses, tables, tools. Every message names file, line and field."""
