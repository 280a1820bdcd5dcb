"""Pages and pieces of the catalogue that are kept."""
