"""Data for slim: decoders of Examples, data sets, and providers that read them with queues."""
