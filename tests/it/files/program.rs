//! `metamcp export` and `metamcp apply` as a pipeline runs them.

use super::World;
use crate::support::said;
use std::fs;

#[tokio::test]
async fn a_pipeline_plans_applies_and_finds_nothing_left_to_do() {
    let world = World::start().await;
    world.tenant("acme").await;
    let place = tempfile::tempdir().unwrap();
    let run = async |arguments: &str| {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        said(&world.installation.program(place.path(), &arguments).await)
    };
    let (text, code) = run("export --tenant acme --out config").await;
    assert_eq!(code, Some(0), "{text}");
    let server =
        "name: Weather\ntools:\n  get:\n    version: 1.0.0\n    description: Tells the weather.\n";
    fs::write(place.path().join("config/servers/weather.yaml"), server).unwrap();

    let head = world.head().await;
    let dry = "apply config --dry-run --detailed-exitcode";
    let (text, code) = run(dry).await;
    assert_eq!(code, Some(2), "{text}");
    assert!(
        text.contains("+ create  server weather\n+ create  tool weather/get\n"),
        "{text}"
    );
    let (text, code) = run("apply config").await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("--yes"), "{text}");
    assert_eq!(world.head().await, head);

    let (text, code) = run("apply config --yes").await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("Changes made: 2"), "{text}");
    let (text, code) = run(dry).await;
    assert_eq!(code, Some(0), "{text}");
    let (text, code) = run("export --tenant acme --out config").await;
    assert_eq!(code, Some(0), "{text}");
    let kept = fs::read_to_string(place.path().join("config/servers/weather.yaml")).unwrap();
    assert_eq!(kept, server);
}

#[tokio::test]
async fn what_is_wrong_with_the_files_is_told_whole_and_changes_nothing() {
    let world = World::start().await;
    world.tenant("acme").await;
    let place = tempfile::tempdir().unwrap();
    let servers = place.path().join("servers");
    fs::create_dir(&servers).unwrap();
    fs::write(
        place.path().join("registry.yaml"),
        "format: 1\ntenant: acme\nposition: 1\n",
    )
    .unwrap();
    fs::write(servers.join("a.yaml"), "name: A\ncolour: red\n").unwrap();
    fs::write(
        servers.join("b.yaml"),
        "name: B\ntools:\n  x: {version: one, description: d}\n",
    )
    .unwrap();
    let head = world.head().await;
    let run =
        async |arguments: &[&str]| said(&world.installation.program(place.path(), arguments).await);
    let (text, code) = run(&["apply", ".", "--yes"]).await;
    assert_eq!(code, Some(3), "{text}");
    assert!(
        text.contains("servers/a.yaml: unknown field `colour`"),
        "{text}"
    );
    assert!(text.contains("servers/b.yaml: tools.x.version"), "{text}");

    fs::write(servers.join("a.yaml"), "name: A\n").unwrap();
    fs::write(
        servers.join("b.yaml"),
        "name: B\ntools:\n  'x!': {version: 1.0.0, description: d}\n",
    )
    .unwrap();
    let (text, code) = run(&["apply", ".", "--dry-run"]).await;
    assert_eq!(code, Some(3), "{text}");
    assert!(
        text.contains("tool b/x!") && text.contains("INVALID_TOOL_NAME"),
        "{text}"
    );
    fs::remove_file(servers.join("b.yaml")).unwrap();
    let (text, code) = run(&["apply", ".", "--yes", "--tenant", "acmee"]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("there is no tenant `acmee`"), "{text}");
    assert_eq!(world.head().await, head);
}
