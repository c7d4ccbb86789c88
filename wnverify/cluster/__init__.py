"""Work items on the workers of a Dask cluster."""
