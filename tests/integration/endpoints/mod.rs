//! Endpoints and commands.

mod cli_bulk;
mod cli_clients;
mod cli_domains;
mod cli_keys;
mod cli_open;
mod cli_server;
mod cli_tenants;
mod cli_users;
mod connections;
mod crash;
mod diagnosis;
mod disk;
mod metrics;
mod own_tls;
mod waiting;
