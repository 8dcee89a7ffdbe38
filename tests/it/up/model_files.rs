//! The files of the embedding model, where one of them is not what it should be.

use super::metamcp;
use crate::support::{PATIENCE, model};
use std::fs::{File, create_dir, write};
use std::io::Read;
use std::os::unix::fs::symlink;

#[tokio::test]
async fn a_missing_or_damaged_file_of_the_model_is_told_in_one_line_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let [empty, damaged, cut] = ["empty", "damaged", "cut"].map(|name| {
        let models = folder.path().join(name);
        create_dir(&models).unwrap();
        models
    });
    write(damaged.join("config.json"), "{").unwrap();
    let mut cases = vec![
        (empty, "config.json is missing"),
        (damaged, "config.json is damaged"),
    ];
    // A download that broke off, where there is a whole one to cut.
    if let Some(whole) = model() {
        for name in ["config.json", "tokenizer.json"] {
            symlink(whole.join(name), cut.join(name)).unwrap();
        }
        let weights = "model.safetensors";
        let mut beginning = File::open(whole.join(weights)).unwrap().take(1 << 20);
        let mut file = File::create(cut.join(weights)).unwrap();
        std::io::copy(&mut beginning, &mut file).unwrap();
        cases.push((cut, "model.safetensors is damaged"));
    }
    for (models, expected) in cases {
        let mut up = metamcp(&["up", "--listen", "127.0.0.1:0", "--embedder", "minilm"]);
        up.arg("--data-dir")
            .arg(folder.path().join("data"))
            .env("METAMCP__SEARCH__MODEL_DIR", &models)
            .env("METAMCP__TELEMETRY__LOG_FILTER", "off")
            .env_remove("RUST_BACKTRACE");
        let done = tokio::time::timeout(3 * PATIENCE, up.output()).await;
        let done = done.unwrap().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success(), "{expected}: it started");
        assert!(said.contains(expected), "{expected}: {said}");
        assert!(said.contains("./dev setup"), "{expected}: {said}");
        assert_eq!(said.trim().lines().count(), 1, "{expected}: {said}");
    }
}
