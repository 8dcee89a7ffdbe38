//! The compiler of Protocol Buffers, which a build needs together with its standard .proto files.

use super::{Check, Status, dotted};
use crate::embedded::{on_path, version_of};
use std::env;
use std::path::{Path, PathBuf};

const NAME: &str = "protoc";
const MEND: &str = "run `./dev setup`, or install it with its standard .proto files";

/// The file that stands for the standard ones.
const STANDARD: &str = "google/protobuf/descriptor.proto";
/// Where the system's packages put them.
const SYSTEM: &str = "/usr/include";

pub(super) fn check() -> Check {
    let found = on_path("protoc").and_then(|path| Some((version_of(&path)?, path)));
    let Some((version, path)) = found else {
        let found = "not found; only building needs it";
        return Check::new(NAME, Status::Warn, found, MEND);
    };
    let found = format!("{} at {}", dotted(&version), path.display());
    let include = env::var_os("PROTOC_INCLUDE").map(PathBuf::from);
    if has_standard_files(&path, Path::new(SYSTEM), include.as_deref()) {
        return Check::ok(NAME, found);
    }
    let found = format!("{found}, without its {STANDARD}; only building needs it");
    Check::new(NAME, Status::Warn, found, MEND)
}

/// Whether the standard files lie where `./dev` looks for them: in the folder that `protoc` was unpacked into,
/// among the system's, or where `PROTOC_INCLUDE` says.
fn has_standard_files(protoc: &Path, system: &Path, include: Option<&Path>) -> bool {
    let beside = protoc.parent().filter(|folder| folder.ends_with("bin"));
    let beside = beside
        .and_then(Path::parent)
        .map(|folder| folder.join("include"));
    let folders = [beside.as_deref(), Some(system), include];
    let mut folders = folders.into_iter().flatten();
    folders.any(|folder| folder.join(STANDARD).exists())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn protoc_without_the_standard_files_does_not_pass() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let with = |prefix: &str| {
            let file = at(prefix).join(STANDARD);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        };
        let (protoc, none) = (at("unpacked/bin/protoc"), at("nowhere"));
        assert!(!has_standard_files(&protoc, &none, None));
        assert!(!has_standard_files(&protoc, &none, Some(&none)));
        with("system");
        assert!(has_standard_files(&protoc, &at("system"), None));
        with("named");
        assert!(has_standard_files(&protoc, &none, Some(&at("named"))));
        with("unpacked/include");
        assert!(has_standard_files(&protoc, &none, None));
        // Beside a folder of another name they are not what this protoc reads.
        assert!(!has_standard_files(&at("unpacked/protoc"), &none, None));
    }

    #[test]
    fn the_script_looks_for_the_same_files() {
        let script = include_str!("../../../../dev");
        for place in [
            "${protoc%/bin/protoc}/include",
            SYSTEM,
            "${PROTOC_INCLUDE:-/nowhere}",
        ] {
            assert!(script.contains(&format!("{place}/{STANDARD}")), "{place}");
        }
    }
}
