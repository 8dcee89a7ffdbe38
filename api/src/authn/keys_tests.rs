use super::*;
use tempfile::tempdir;

const LONG: Duration = Duration::from_secs(3600);

#[test]
fn the_first_start_makes_one_key_that_only_the_owner_reads() {
    let parent = tempdir().unwrap();
    let folder = parent.path().join("keys");
    let ring = KeyRing::open(&folder, LONG).unwrap();
    let kid = ring.newest().unwrap().kid.clone();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file(&folder, &kid)), 0o600);
    assert_eq!(mode(&folder), 0o700);
    let again = KeyRing::open(&folder, LONG).unwrap();
    assert_eq!(again.newest().unwrap().kid, kid);
}

#[test]
fn the_newest_signs_and_the_superseded_still_verify() {
    let folder = tempdir().unwrap();
    let ring = KeyRing::open(folder.path(), LONG).unwrap();
    let first = ring.newest().unwrap().kid.clone();
    let second = ring.rotate().unwrap();
    assert_ne!(first, second);
    assert_eq!(ring.newest().unwrap().kid, second);
    assert!(ring.find(&first).is_some());
    let jwks = ring.jwks();
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 2);
    assert_eq!(jwks["keys"][1]["kid"], second);
    assert_eq!(
        jwks["keys"][0]["x"].as_str().unwrap().len(),
        43,
        "32 bytes, base64url"
    );
    assert!(jwks["keys"][0].get("d").is_none(), "no private part");
}

#[test]
fn keys_that_no_living_token_needs_are_removed() {
    let life = Duration::from_millis(50);
    let folder = tempdir().unwrap();
    let ring = KeyRing::open(folder.path(), life).unwrap();
    let first = ring.newest().unwrap().kid.clone();
    let second = ring.rotate().unwrap();
    assert!(ring.find(&first).is_some(), "superseded a moment ago");
    std::thread::sleep(life + Duration::from_millis(10));
    let third = ring.rotate().unwrap();
    assert!(ring.find(&first).is_none(), "its last token has expired");
    assert!(ring.find(&second).is_some() && ring.find(&third).is_some());
}

#[test]
fn a_key_of_another_instance_is_found_and_a_removed_one_forgotten() {
    let folder = tempdir().unwrap();
    let here = KeyRing::open(folder.path(), LONG).unwrap();
    let there = KeyRing::open(folder.path(), LONG).unwrap();
    let old = here.newest().unwrap().kid.clone();
    let new = there.rotate().unwrap();
    *here.looked.lock().unwrap() = Instant::now() - LOOK_AGAIN;
    assert!(here.find(&new).is_some());
    fs::remove_file(file(folder.path(), &old)).unwrap();
    here.reload().unwrap();
    assert!(here.find(&old).is_none());
}

#[test]
fn unknown_ids_do_not_make_it_read_the_folder_each_time() {
    let folder = tempdir().unwrap();
    let here = KeyRing::open(folder.path(), LONG).unwrap();
    let new = KeyRing::open(folder.path(), LONG)
        .unwrap()
        .rotate()
        .unwrap();
    assert!(here.find(&new).is_none(), "looked a moment ago");
}

#[test]
fn an_open_or_damaged_key_is_refused_with_its_name() {
    let folder = tempdir().unwrap();
    let ring = KeyRing::open(folder.path(), LONG).unwrap();
    let path = file(folder.path(), &ring.newest().unwrap().kid);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(ring.reload(), Err(KeyError::TooOpen { path: p }) if p == path));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, b"nonsense").unwrap();
    assert!(matches!(ring.reload(), Err(KeyError::NotAKey { path: p }) if p == path));
    assert!(ring.newest().is_some(), "the known keys stay");
}
