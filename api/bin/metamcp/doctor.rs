//! `metamcp doctor`: checks everything that MetaMCP needs on a machine, and says how to mend it.

#![expect(
    clippy::print_stdout,
    reason = "a table on standard output is what this command is for"
)]

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use api::config::{Config, ConfigError, EmbedderKind, SearchConfig};
use sha2::{Digest, Sha256};

use crate::cli::Installation;
use crate::embedded::{DataDir, NatsProgram, PostgresPrograms, tools_dir};
use crate::up::config_file;

pub mod elsewhere;
mod protoc;
mod users;

/// The result of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// As it should be.
    Ok,
    /// Something works less well, or is needed only sometimes.
    Warn,
    /// `metamcp up` or `serve` would fail, or other commands on their installation.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it is.
    pub status: Status,
    /// What was found: a version, a path, a difference.
    pub found: String,
    /// What to do; empty when nothing is to be done.
    pub mend: String,
}

/// Files of the embedding model: name and SHA-256, the same as in `./dev`.
pub const MODEL_FILES: [(&str, &str); 3] = [
    (
        "config.json",
        "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    ),
    (
        "tokenizer.json",
        "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    ),
    (
        "model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
];

/// The name of the model's check.
const MODEL: &str = "embedding model";

/// Prints the checks as a table. Failure if one of them failed.
pub(crate) async fn run(installation: &Installation) -> anyhow::Result<ExitCode> {
    let tools = tools_dir();
    let checks = if installation.is_elsewhere() {
        match installation.config_or_new() {
            Ok(config) => elsewhere::checks(&config, &tools).await,
            Err(error) => vec![Check::new(
                "configuration",
                Status::Fail,
                format!("{error:#}"),
                "correct what it names",
            )],
        }
    } else {
        checks(installation.data_dir(), &tools)
    };
    for check in &checks {
        let mark = match check.status {
            Status::Ok => "ok  ",
            Status::Warn => "warn",
            Status::Fail => "FAIL",
        };
        println!("{mark}  {:<15} {}", check.name, check.found);
        if !check.mend.is_empty() {
            println!("{:22}-> {}", "", check.mend);
        }
    }
    if checks.iter().any(|check| check.status == Status::Fail) {
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Looks at everything that `metamcp up` needs. `tools` is the folder into which `./dev setup` puts things.
#[must_use]
pub fn checks(data_dir: &Path, tools: &Path) -> Vec<Check> {
    let mut checks = vec![protoc::check(), postgres(), nats_server()];
    checks.extend(users::check());
    checks.push(match configuration(data_dir) {
        Ok(config) => embedder(&config.search, tools),
        Err(error) => unusable(&error),
    });
    checks.extend([data(data_dir), instance(data_dir)]);
    checks
}

/// The embedding model's folder among the tools.
#[must_use]
pub fn model_dir(tools: &Path) -> PathBuf {
    tools.join("models/all-MiniLM-L6-v2")
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Ok,
            found: found.into(),
            mend: String::new(),
        }
    }

    fn new(name: &'static str, status: Status, found: impl Into<String>, mend: &str) -> Self {
        Self {
            name,
            status,
            found: found.into(),
            mend: mend.to_owned(),
        }
    }
}

fn postgres() -> Check {
    const NAME: &str = "PostgreSQL";
    match PostgresPrograms::locate(None) {
        Ok(found) => Check::ok(
            NAME,
            format!("{} at {}", found.major, found.folder.display()),
        ),
        Err(error) => Check::new(
            NAME,
            Status::Fail,
            error.to_string(),
            "`metamcp serve` can use a remote one",
        ),
    }
}

fn nats_server() -> Check {
    const NAME: &str = "nats-server";
    match NatsProgram::locate() {
        Ok(found) => Check::ok(
            NAME,
            format!("{} at {}", dotted(&found.version), found.path.display()),
        ),
        Err(error) => Check::new(
            NAME,
            Status::Fail,
            error.to_string(),
            "`metamcp serve` can use a remote one",
        ),
    }
}

/// What `up` has kept in the data directory, or what a first start begins with.
fn configuration(data_dir: &Path) -> Result<Config, ConfigError> {
    let kept = Some(config_file(data_dir)).filter(|file| file.is_file());
    Config::load(kept.as_deref())
}

fn unusable(error: &ConfigError) -> Check {
    const MEND: &str =
        "correct the key that it names; `metamcp up` writes the data directory's metamcp.yaml anew";
    Check::new("configuration", Status::Fail, error.to_string(), MEND)
}

/// The model, where the configuration asks for it.
fn embedder(search: &SearchConfig, tools: &Path) -> Check {
    let folder = || model_dir(tools);
    match search.embedder {
        EmbedderKind::MiniLm => model(&search.model_dir.clone().unwrap_or_else(folder)),
        EmbedderKind::OpenAi => Check::ok(MODEL, "not needed: search.embedder is openai"),
        EmbedderKind::None => Check::ok(MODEL, "not needed: search.embedder is none"),
    }
}

fn model(folder: &Path) -> Check {
    const MEND: &str =
        "run `./dev setup`, or start with `--embedder none` for full-text search only";
    match check_model(folder) {
        Ok(()) => Check::ok(MODEL, format!("complete at {}", folder.display())),
        Err((file, problem)) => Check::new(
            MODEL,
            Status::Fail,
            format!("{} is {problem}", file.display()),
            MEND,
        ),
    }
}

/// Compares the model's files with their hashes, which takes a fraction of a second: a damaged file of
/// the right size would give wrong vectors and no error.
///
/// # Errors
/// The file that is not as it should be, and what is wrong with it.
pub fn check_model(folder: &Path) -> Result<(), (PathBuf, String)> {
    for (name, expected) in MODEL_FILES {
        let file = folder.join(name);
        let problem = match sha256(&file) {
            Ok(found) if found == expected => continue,
            Ok(_) => "damaged: its SHA-256 is not the expected one".to_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "missing".to_owned(),
            Err(error) => format!("unreadable: {error}"),
        };
        return Err((file, problem));
    }
    Ok(())
}

/// Does not open the data directory, which would create it or refuse while an instance runs.
fn data(path: &Path) -> Check {
    const NAME: &str = "data directory";
    const MEND: &str = "make it writable or choose another --data-dir";
    if let Err(problem) = try_writing(path) {
        return Check::new(NAME, Status::Fail, problem, MEND);
    }
    match DataDir::layout(path) {
        Ok(Some(version)) => Check::ok(
            NAME,
            format!("{}, layout version {version}", path.display()),
        ),
        Ok(None) => Check::ok(NAME, format!("{}, to be created", path.display())),
        // Its text says how to mend it.
        Err(error) => Check::new(NAME, Status::Fail, error.to_string(), ""),
    }
}

fn instance(path: &Path) -> Check {
    const NAME: &str = "instance";
    match DataDir::holder(path) {
        Some(holder) => Check::ok(NAME, format!("process {}, {}", holder.pid, holder.url)),
        None => Check::ok(NAME, "none is running on this data directory"),
    }
}

/// Whether the folder can be written, or made where it is not there: permissions alone do not tell, least
/// of all root, so a folder is made beside it and removed.
fn try_writing(path: &Path) -> Result<(), String> {
    use rustix::fs::{Access, access};
    if path.is_dir() {
        return access(path, Access::WRITE_OK | Access::EXEC_OK)
            .map_err(|error| format!("{} is not writable: {error}", path.display()));
    }
    let existing = path.ancestors().find(|ancestor| ancestor.exists());
    let existing = match existing {
        Some(existing) if !existing.as_os_str().is_empty() => existing,
        Some(_) | None => Path::new("."),
    };
    let trial = existing.join(format!(".metamcp-doctor-{}", std::process::id()));
    fs::create_dir(&trial)
        .and_then(|()| fs::remove_dir(&trial))
        .map_err(|error| {
            let (path, existing) = (path.display(), existing.display());
            format!("{path} cannot be made in {existing}: {error}")
        })
}

fn sha256(file: &Path) -> std::io::Result<String> {
    let mut open = File::open(file)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0_u8; 1 << 20];
    loop {
        let length = open.read(&mut buffer)?;
        if length == 0 {
            return Ok(hasher
                .finalize()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect());
        }
        hasher.update(&buffer[..length]);
    }
}

fn dotted(version: &[u32; 3]) -> String {
    version.map(|part| part.to_string()).join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_expects_the_same_model() {
        let script = include_str!("../../../dev");
        for (name, hash) in MODEL_FILES {
            let line = script
                .lines()
                .find(|line| line.contains(hash))
                .unwrap_or_default();
            assert!(line.contains(name), "{name} of ./dev has another hash");
        }
    }

    #[test]
    fn names_the_file_of_the_model_that_is_missing_or_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let missing = model(folder.path());
        assert_eq!(missing.status, Status::Fail);
        assert!(
            missing.found.contains("config.json is missing"),
            "{}",
            missing.found
        );
        fs::write(folder.path().join("config.json"), "{}").unwrap();
        assert!(
            model(folder.path())
                .found
                .contains("config.json is damaged")
        );
    }

    #[test]
    fn the_model_is_looked_for_where_the_kept_configuration_says_and_only_if_it_asks_for_one() {
        let (data, tools) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let found = |kept: &str| {
            fs::write(config_file(data.path()), kept).unwrap();
            embedder(&configuration(data.path()).unwrap().search, tools.path())
        };
        for embedder in ["none", "openai"] {
            let kept = format!(
                "search: {{embedder: {embedder}, openai: {{endpoint: 'http://localhost/', model: m, dimensions: 8}}}}"
            );
            let check = found(&kept);
            assert_eq!(check.status, Status::Ok, "{}", check.found);
        }
        let check = found("search: {embedder: minilm, model_dir: /nowhere/mine}");
        assert_eq!(check.status, Status::Fail);
        assert!(check.found.contains("/nowhere/mine/"), "{}", check.found);
        let check = found("search: {embedder: minilm}");
        let expected = tools.path().display().to_string();
        assert!(check.found.contains(&expected), "{}", check.found);
        fs::write(config_file(data.path()), "serch: {}").unwrap();
        let check = unusable(&configuration(data.path()).unwrap_err());
        assert!(check.found.contains("serch"), "{}", check.found);
    }

    #[test]
    fn a_data_directory_that_up_would_refuse_fails() {
        let folder = tempfile::tempdir().unwrap();
        let fails = |path: &Path, why: &str| {
            let check = data(path);
            assert_eq!(check.status, Status::Fail, "{}", check.found);
            assert!(check.found.contains(why), "{}", check.found);
        };
        fails(Path::new("/proc/nowhere"), "/proc");
        for (version, why) in [("999\n", "layout version 999"), ("", "no layout version")] {
            fs::write(folder.path().join("VERSION"), version).unwrap();
            fails(folder.path(), why);
        }
        fs::remove_file(folder.path().join("VERSION")).unwrap();
        assert_eq!(data(folder.path()).status, Status::Ok);
        assert_eq!(data(&folder.path().join("a/b")).status, Status::Ok);
        fs::write(folder.path().join("letter.txt"), "Dear").unwrap();
        fails(folder.path(), "neither empty nor");
    }

    #[test]
    fn a_running_instance_is_reported_without_disturbing_it() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path()).unwrap();
        dir.announce("http://127.0.0.1:8080").unwrap();
        assert!(
            instance(folder.path())
                .found
                .contains("http://127.0.0.1:8080")
        );
        assert!(data(folder.path()).found.contains("layout version 1"));
    }
}
