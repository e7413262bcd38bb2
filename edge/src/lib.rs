//! The edge: slices of objects cached near the viewer.
