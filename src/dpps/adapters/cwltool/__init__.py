"""CWL through cwltool: reading documents, and executing them on this machine."""
