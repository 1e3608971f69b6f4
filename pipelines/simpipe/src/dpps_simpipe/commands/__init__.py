"""Options of commands whose libraries load slowly: help needs none of them."""
