//! Synapse code: the `.syn` file format.
