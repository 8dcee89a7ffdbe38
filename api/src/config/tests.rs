use super::*;
use secrecy::ExposeSecret;
use std::io::Write;
use std::time::Duration;
use tempfile::NamedTempFile;

fn yaml(text: &str) -> NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let file = yaml(text);
    let variables = variables
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    Config::load_from(Some(file.path()), Some(variables))
}

fn refused(text: &str, variables: &[(&str, &str)]) -> String {
    let message = load(text, variables).unwrap_err().to_string();
    assert!(!message.contains('\n'), "one line: {message}");
    message
}

#[test]
fn the_defaults_are_sound_and_stay_on_this_machine() {
    let config = Config::load_from(None, Some(HashMap::new())).unwrap();
    assert!(config.http.listen.ip().is_loopback());
    assert_eq!(config.http.base_url(), "http://127.0.0.1:8080");
    assert!(config.http.hosts().contains(&"localhost:8080".to_owned()));
}

#[test]
fn the_environment_goes_over_the_file_and_the_file_over_the_defaults() {
    let text = "http: {listen: '127.0.0.1:1'}\nauth: {leeway: 5s}\nnats: {replicas: 3}";
    let variables = [
        ("METAMCP__HTTP__LISTEN", "127.0.0.1:2"),
        ("METAMCP__LIMITS__GRAPHQL_DEPTH", "7"),
        ("METAMCP__HTTP__ALLOWED_HOSTS", "a.example, b.example"),
        ("METAMCP_TOOLS_DIR", "/not/ours"),
        ("PATH", "/bin"),
    ];
    let config = load(text, &variables).unwrap();
    assert_eq!(config.http.listen.port(), 2);
    assert_eq!(config.auth.leeway, Duration::from_secs(5));
    assert_eq!(config.nats.replicas, 3);
    assert_eq!(config.limits.graphql_depth, 7);
    assert_eq!(config.http.allowed_hosts, ["a.example", "b.example"]);
    assert_eq!(config.auth.token_ttl, AuthConfig::default().token_ttl);
}

#[test]
fn an_unknown_key_is_named_with_its_origin() {
    let nested = refused("http: {lisen: '127.0.0.1:1'}", &[]);
    assert!(
        nested.contains("lisen") && nested.contains(".yaml"),
        "{nested}"
    );
    let top = refused("htpp: {listen: '127.0.0.1:1'}", &[]);
    assert!(top.contains("htpp") && top.contains(".yaml"), "{top}");
    let variable = refused("", &[("METAMCP__HTTP__LISEN", "127.0.0.1:1")]);
    assert!(
        variable.contains("lisen") && variable.contains("environment"),
        "{variable}"
    );
}

#[test]
fn a_bad_value_is_named_with_its_key() {
    for (text, words) in [
        ("http: {listen: here}", ["listen", ".yaml"]),
        ("auth: {token_ttl: soon}", ["soon", "12h"]),
        ("auth: {leeway: 61s}", ["auth.leeway", "60s"]),
        (
            "auth: {access_cache_ttl: 3s}",
            ["auth.access_cache_ttl", "2s"],
        ),
        ("nats: {replicas: 2}", ["nats.replicas", "3"]),
        ("nats: {user: me}", ["nats.password", "both"]),
        (
            "http: {listen: '0.0.0.0:80'}",
            ["http.public_url", "0.0.0.0:80"],
        ),
        (
            "http: {public_url: 'ftp://a'}",
            ["http.public_url", "https"],
        ),
        ("search: {embedder: openai}", ["search.openai", "endpoint"]),
        (
            "limits: {graphql_depth: 0}",
            ["limits.graphql_depth", "above 0"],
        ),
        ("limits: {graphql_depth: -1}", ["graphql_depth", ".yaml"]),
        (
            "telemetry: {log_filter: 'a=b=c'}",
            ["telemetry.log_filter", "info"],
        ),
        (
            "registry: {anonymous_tenant: 'No Slug'}",
            ["registry.anonymous_tenant", "tenant"],
        ),
        ("http: [", [".yaml", ""]),
        (
            "postgres: {url: 'mysql://host/db'}",
            ["postgres.url", "postgres://"],
        ),
        (
            "postgres: {url: 'host:5432'}",
            ["postgres.url", "postgres://"],
        ),
    ] {
        let message = refused(text, &[]);
        assert!(
            words.iter().all(|word| message.contains(word)),
            "{text}: {message}"
        );
    }
    let absent = Config::load(Some(Path::new("/nowhere/metamcp.yaml")))
        .unwrap_err()
        .to_string();
    assert!(absent.contains("/nowhere/metamcp.yaml"));
}

#[test]
fn secrets_come_from_files_and_are_not_shown() {
    let secret = yaml("s3cr3t-of-a-file\n");
    let path = secret.path().display();
    let config = load(&format!("nats: {{user: me, password_file: '{path}'}}"), &[]).unwrap();
    assert_eq!(
        config.nats.password.as_ref().unwrap().expose_secret(),
        "s3cr3t-of-a-file"
    );
    assert!(!format!("{config:?}").contains("s3cr3t"));
    let both = refused(
        &format!("nats: {{user: me, password: x, password_file: '{path}'}}"),
        &[],
    );
    assert!(both.contains("not both"), "{both}");
    assert!(refused("nats: {user: me, password_file: /nowhere}", &[]).contains("/nowhere"));
}

#[test]
fn a_password_of_digits_stays_as_it_is_written() {
    let variables = [
        ("METAMCP__NATS__USER", "me"),
        ("METAMCP__NATS__PASSWORD", "001e5"),
    ];
    let config = load("", &variables).unwrap();
    assert_eq!(config.nats.password.unwrap().expose_secret(), "001e5");
}

#[test]
fn the_password_of_postgres_goes_into_its_address() {
    let text = "postgres: {url: 'postgres://me@host/db?sslmode=require', password: 'p@ss/word'}";
    let address = load(text, &[]).unwrap().postgres.address().unwrap();
    assert_eq!(
        address.expose_secret(),
        "postgres://me:p%40ss%2Fword@host/db?sslmode=require"
    );
    let socket = load("postgres: {url: 'postgres:///db?host=/run/pg'}", &[]).unwrap();
    assert_eq!(
        socket.postgres.address().unwrap().expose_secret(),
        "postgres:///db?host=/run/pg"
    );
}

#[test]
fn the_public_address_names_issuer_resources_hosts_and_origins() {
    let config = load("http: {public_url: 'https://mcp.example.com/'}", &[]).unwrap();
    assert_eq!(config.http.base_url(), "https://mcp.example.com");
    assert!(
        config
            .http
            .resources()
            .contains(&"https://mcp.example.com/mcp".to_owned())
    );
    assert!(config.http.hosts().contains(&"mcp.example.com".to_owned()));
    assert!(
        config
            .http
            .origins()
            .contains(&"https://mcp.example.com".to_owned())
    );
}

#[test]
fn a_choice_that_does_not_exist_is_answered_with_those_that_do() {
    for (variable, choices) in [
        ("METAMCP__TELEMETRY__LOG_FORMAT", "pretty or json"),
        ("METAMCP__SEARCH__EMBEDDER", "minilm, openai or none"),
    ] {
        let message = refused("", &[(variable, "xml")]);
        assert!(message.contains(choices), "{message}");
    }
}

/// Each section with settings that are not the default.
const EVERY_SECTION: &str = r#"
http: {listen: '127.0.0.1:9090', public_url: 'https://mcp.example.com/', allowed_hosts: [mcp.example.com, 'a:1'],
  allowed_origins: ['https://console.example.com']}
nats: {url: 'nats://a.example:4222,b.example:4222', user: me, password: '001e5', replicas: 3,
  tls: {}, inbox_prefix: _INBOX.me, stream: OTHER, subject_root: other.event}
postgres: {url: 'postgres://me:word@host/db?sslmode=require', password: '12345e678', max_connections: 8}
search:
  index_uri: 's3://bucket/index'
  embedder: openai
  model_dir: 'models \ "mine": #1'
  openai: {endpoint: 'https://e.example.com/v1/embeddings', model: small, api_key: "k: '#1'\n2", dimensions: 8, shorten: true,
    timeout: 1500ms}
registry: {anonymous_tenant: acme, after_sunset: warn}
auth: {keys_dir: keys, token_ttl: 90s, max_token_ttl: 36h, leeway: 0s, access_cache_ttl: 1500ms, max_access_lag: 7s, policy_dir: rules}
privacy: {keys_dir: vault}
ledger: {keys_dir: heads, interval: 5m, head_file: heads.txt, head_url: 'https://witness.example.com/heads'}
publishers: {resolver: ['9.9.9.9', '127.0.0.1:5353'], dns_timeout: 1s, http_timeout: 2s, allow_private_addresses: true,
  insecure_http: true, well_known_port: 8081}
limits: {graphql_depth: 7, graphql_complexity: 8, graphql_aliases: 0, graphql_directives: 9, graphql_page: 10, body_bytes: 11,
  mcp_body_bytes: 12, request_deadline: 13s, live_connections: 14, live_connections_per_principal: 15, live_subscriptions: 16,
  live_buffer: 17, denial_window: 18s}
telemetry: {log_format: json, log_filter: 'debug,lance=off', otlp_endpoint: 'http://localhost:4318'}
"#;

#[test]
fn what_is_written_is_read_as_the_same() {
    let config = load(EVERY_SECTION, &[]).unwrap();
    let sections = |config: &Config| serde_json::to_value(config).unwrap();
    let (given, defaults) = (sections(&config), sections(&Config::default()));
    for (section, values) in given.as_object().unwrap() {
        assert_ne!(*values, defaults[section], "{section} is not set");
    }
    let again = load(&config.to_yaml().unwrap(), &[]).unwrap();
    assert_eq!(sections(&again), given);
    assert_eq!(format!("{again:?}"), format!("{config:?}"));
    let new = load(&Config::default().to_yaml().unwrap(), &[]).unwrap();
    assert_eq!(sections(&new), defaults);
}

#[test]
fn a_secret_of_a_file_is_not_written_elsewhere() {
    let secret = yaml("s3cr3t-of-a-file\n");
    let path = secret.path().display();
    let text = format!(
        "nats: {{user: me, password_file: '{path}'}}\npostgres: {{password_file: '{path}'}}\nsearch: {{openai: \
         {{endpoint: 'http://localhost/', model: m, dimensions: 8, api_key_file: '{path}'}}}}"
    );
    let config = load(&text, &[]).unwrap();
    let written = config.to_yaml().unwrap();
    assert!(!written.contains("s3cr3t"), "{written}");
    let again = load(&written, &[]).unwrap();
    let openai = again.search.openai.unwrap();
    for found in [again.nats.password, again.postgres.password, openai.api_key] {
        assert_eq!(found.unwrap().expose_secret(), "s3cr3t-of-a-file");
    }
}
