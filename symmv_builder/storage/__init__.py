"""Where the bytes are: assets, sidecars, ledger, manifests, shards, under one root."""
