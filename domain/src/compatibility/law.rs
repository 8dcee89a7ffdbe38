//! The promise, held against random schemas and instances.
