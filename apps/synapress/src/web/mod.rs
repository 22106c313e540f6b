//! The page that classifies in the browser: which files it is made of, and a server of them. What the page does is
//! `synapress_browser`'s affair.

mod network;
mod samples;
mod server;
mod site;

pub use network::Network;
pub use samples::Sample;
pub use server::Server;
pub use site::Site;
