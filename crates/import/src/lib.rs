//! Networks of other frameworks, to and from Synapress.
