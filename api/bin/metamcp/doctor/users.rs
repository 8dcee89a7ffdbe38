//! The users that the private servers run as when `metamcp up` is started as root.

use super::{Check, Status};
use std::fs;

const NAME: &str = "system users";

/// A server and the users it can run as, the first that is there.
const USERS: [(&str, &[&str]); 2] = [
    ("PostgreSQL", &["postgres"]),
    ("nats-server", &["nats", "nobody"]),
];

/// Whether each server has a user; nothing for anyone but root, as whom they run themselves.
pub(super) fn check() -> Option<Check> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    Some(match fs::read_to_string("/etc/passwd") {
        Ok(passwd) => check_in(&passwd),
        Err(error) => Check::new(
            NAME,
            Status::Fail,
            format!("/etc/passwd cannot be read: {error}"),
            "start `metamcp up` as another user than root",
        ),
    })
}

fn check_in(passwd: &str) -> Check {
    const MEND: &str = "run `./dev setup`, or start `metamcp up` as another user than root";
    let has = |name: &str| {
        passwd
            .lines()
            .any(|line| line.split(':').next() == Some(name))
    };
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for (server, names) in USERS {
        match names.iter().find(|name| has(name)) {
            Some(name) => found.push(format!("{server} runs as {name}")),
            None => missing.push(format!("no {} for {server}", names.join(" or "))),
        }
    }
    match missing.is_empty() {
        true => Check::ok(NAME, found.join(", ")),
        false => Check::new(NAME, Status::Fail, missing.join(", "), MEND),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_choose_among_the_same_users() {
        let sources = [
            include_str!("../embedded/postgres.rs"),
            include_str!("../embedded/nats.rs"),
        ];
        for ((server, names), source) in USERS.into_iter().zip(sources) {
            let chosen = format!("RunAs::choose(&{names:?})");
            assert!(source.contains(&chosen), "{server} has other users");
        }
    }

    #[test]
    fn a_server_without_a_user_fails_and_is_named() {
        let both = "root:x:0:0::/:/bin/sh\npostgres:x:5:5::/:/bin/sh\nnobody:x:9:9::/:/bin/sh\n";
        let check = check_in(both);
        assert_eq!(check.status, Status::Ok);
        assert!(
            check.found.contains("nats-server runs as nobody"),
            "{}",
            check.found
        );
        let check = check_in("root:x:0:0::/:/bin/sh\nnats:x:9:9::/:/bin/sh\n");
        assert_eq!(check.status, Status::Fail);
        assert_eq!(check.found, "no postgres for PostgreSQL");
    }
}
