//! The upload client: a library and the tidegate-upload command that survive the network.
