"""A Kubernetes cluster on one machine: an API server that speaks the protocol, and pods that are processes."""
