"""Two features, a model, a recipe, an importer and a trainer, for symmv-builder."""
