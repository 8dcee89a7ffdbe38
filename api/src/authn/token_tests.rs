use super::*;
use jsonwebtoken::EncodingKey;
use secrecy::ExposeSecret;
use serde_json::json;
use tempfile::TempDir;

struct Setup {
    tokens: Tokens,
    tenant: TenantId,
    principal: PrincipalId,
    _folder: TempDir,
}

fn setup() -> Setup {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.auth.keys_dir = folder.path().join("keys");
    let tenant = TenantId::new("acme").unwrap();
    let principal = PrincipalId::derive(&tenant, "alice");
    Setup {
        tokens: Tokens::open(&config).unwrap(),
        tenant,
        principal,
        _folder: folder,
    }
}

impl Setup {
    fn issue(&self) -> String {
        let issued = self
            .tokens
            .issue(&self.tenant, &self.principal, None)
            .unwrap();
        issued.token.expose_secret().to_owned()
    }

    fn claims(&self) -> Value {
        let now = Utc::now().timestamp();
        json!({
            "iss": "http://127.0.0.1:8080", "aud": "http://127.0.0.1:8080/mcp",
            "sub": self.principal, "tenant": "acme", "jti": Uuid::now_v7(),
            "iat": now, "nbf": now, "exp": now + 60,
        })
    }

    fn header(&self) -> Header {
        let kid = self.tokens.ring.newest().unwrap().kid.clone();
        Header {
            kid: Some(kid),
            ..Header::new(Algorithm::EdDSA)
        }
    }

    /// Signs these claims with our own key and says why they are refused.
    fn refusal(&self, claims: &Value) -> &'static str {
        let key = self.tokens.ring.newest().unwrap();
        self.refusal_of(&encode(&self.header(), claims, &key.encoding).unwrap())
    }

    fn refusal_of(&self, token: &str) -> &'static str {
        match self.tokens.verify(token) {
            Err(TokenProblem::Invalid(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }
}

fn with(mut claims: Value, key: &str, value: Value) -> Value {
    claims[key] = value;
    claims
}

fn raw(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| data_encoding::BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    format!("{}.{}.{signature}", part(header), part(claims))
}

#[test]
fn what_was_issued_is_believed() {
    let setup = setup();
    let claims = setup.tokens.verify(&setup.issue()).unwrap();
    assert_eq!(
        (claims.tenant, claims.sub),
        (setup.tenant.clone(), setup.principal.clone())
    );
    let key = setup.tokens.ring.newest().unwrap();
    let for_mcp = encode(&setup.header(), &setup.claims(), &key.encoding).unwrap();
    assert!(
        setup.tokens.verify(&for_mcp).is_ok(),
        "each of our resources is an audience"
    );
}

#[test]
fn times_are_checked_with_the_leeway() {
    let setup = setup();
    let now = Utc::now().timestamp();
    let claims = setup.claims();
    let refusal = |key, seconds: i64| setup.refusal(&with(claims.clone(), key, json!(seconds)));
    assert_eq!(refusal("exp", now - 31), "it has expired");
    assert_eq!(refusal("nbf", now + 40), "it is not valid yet");
    assert_eq!(refusal("iat", now + 40), "it was issued in the future");
    let key = setup.tokens.ring.newest().unwrap();
    let late = with(claims.clone(), "exp", json!(now - 5));
    let late = encode(&setup.header(), &late, &key.encoding).unwrap();
    assert!(
        setup.tokens.verify(&late).is_ok(),
        "within the leeway of 30 s"
    );
}

#[test]
fn another_audience_or_issuer_is_refused() {
    let setup = setup();
    for audience in [
        json!("http://127.0.0.1:8080/other"),
        json!("https://elsewhere"),
        json!([]),
    ] {
        let claims = with(setup.claims(), "aud", audience.clone());
        assert_eq!(
            setup.refusal(&claims),
            "it is for another audience",
            "{audience}"
        );
    }
    let claims = with(setup.claims(), "iss", json!("https://elsewhere"));
    assert_eq!(setup.refusal(&claims), "it is of another issuer");
}

#[test]
fn every_claim_is_required_and_typed() {
    let setup = setup();
    for claim in ["iss", "aud", "sub", "tenant", "jti", "iat", "nbf", "exp"] {
        let mut claims = setup.claims();
        claims.as_object_mut().unwrap().remove(claim);
        assert_eq!(
            setup.refusal(&claims),
            "a claim is missing or malformed",
            "{claim}"
        );
    }
    for (claim, value) in [
        ("tenant", "A.B"),
        ("sub", "alice"),
        ("jti", "1"),
        ("exp", "tomorrow"),
    ] {
        let claims = with(setup.claims(), claim, json!(value));
        assert_eq!(
            setup.refusal(&claims),
            "a claim is missing or malformed",
            "{claim}"
        );
    }
}

#[test]
fn other_algorithms_are_refused() {
    let setup = setup();
    let jwks = setup.tokens.ring.jwks();
    let public = jwks["keys"][0]["x"].as_str().unwrap();
    let public = data_encoding::BASE64URL_NOPAD
        .decode(public.as_bytes())
        .unwrap();
    let confused = Header {
        kid: setup.header().kid,
        ..Header::new(Algorithm::HS256)
    };
    let secret = EncodingKey::from_secret(&public);
    let token = encode(&confused, &setup.claims(), &secret).unwrap();
    assert_eq!(setup.refusal_of(&token), "its algorithm is not accepted");
    for alg in ["none", "None", "NONE"] {
        let header = json!({"alg": alg, "typ": "JWT", "kid": setup.header().kid});
        assert_eq!(
            setup.refusal_of(&raw(&header, &setup.claims(), "")),
            "it is malformed"
        );
    }
}

#[test]
fn a_key_must_be_named_and_ours() {
    let setup = setup();
    let key = setup.tokens.ring.newest().unwrap();
    let sign = |header: &Header| encode(header, &setup.claims(), &key.encoding).unwrap();
    let unnamed = sign(&Header {
        kid: None,
        ..setup.header()
    });
    assert_eq!(setup.refusal_of(&unnamed), "it names no key");
    for kid in ["other", "../../etc/passwd", ""] {
        let other = sign(&Header {
            kid: Some(kid.to_owned()),
            ..setup.header()
        });
        assert_eq!(setup.refusal_of(&other), "its key is unknown", "{kid}");
    }
}

#[test]
fn keys_inside_a_token_are_not_looked_at() {
    let (setup, attacker) = (setup(), self::setup());
    let theirs = attacker.tokens.ring.newest().unwrap();
    let jwk = serde_json::from_value(attacker.tokens.ring.jwks()["keys"][0].clone()).unwrap();
    let header = Header {
        jwk: Some(jwk),
        jku: Some("https://attacker.example/jwks.json".into()),
        x5u: Some("https://attacker.example/cert".into()),
        ..setup.header()
    };
    let token = encode(&header, &setup.claims(), &theirs.encoding).unwrap();
    assert_eq!(setup.refusal_of(&token), "its signature does not verify");
    let critical = Header {
        crit: Some(vec!["b64".into()]),
        ..setup.header()
    };
    let ours = setup.tokens.ring.newest().unwrap();
    let token = encode(&critical, &setup.claims(), &ours.encoding).unwrap();
    assert_eq!(setup.refusal_of(&token), "it has critical extensions");
}

#[test]
fn an_altered_or_malformed_token_is_refused() {
    let setup = setup();
    let token = setup.issue();
    let parts: Vec<&str> = token.split('.').collect();
    let claims = data_encoding::BASE64URL_NOPAD.encode(
        with(setup.claims(), "tenant", json!("other"))
            .to_string()
            .as_bytes(),
    );
    let altered = format!("{}.{claims}.{}", parts[0], parts[2]);
    assert_eq!(setup.refusal_of(&altered), "its signature does not verify");
    for bad in ["", ".", "..", "a.b.c", "not a token", parts[0]] {
        assert_eq!(setup.refusal_of(bad), "it is malformed", "{bad}");
    }
    assert_eq!(
        setup.refusal_of(&"x".repeat(MAX_TOKEN_BYTES + 1)),
        "it is too long"
    );
}

#[test]
fn a_rotation_ends_no_token_and_a_removed_key_ends_its_own() {
    let setup = setup();
    let old = setup.issue();
    let old_kid = setup.header().kid.unwrap();
    let new_kid = setup.tokens.ring.rotate().unwrap();
    let new = setup.issue();
    assert_eq!(decode_header(&new).unwrap().kid, Some(new_kid));
    assert!(setup.tokens.verify(&old).is_ok() && setup.tokens.verify(&new).is_ok());
    let file = setup
        ._folder
        .path()
        .join("keys")
        .join(format!("{old_kid}.pk8"));
    std::fs::remove_file(file).unwrap();
    setup.tokens.ring.reload().unwrap();
    assert_eq!(setup.refusal_of(&old), "its key is unknown");
}

#[test]
fn no_token_outlives_the_limit() {
    let setup = setup();
    let long = Duration::from_secs(91 * 86_400);
    let refused = setup
        .tokens
        .issue(&setup.tenant, &setup.principal, Some(long));
    assert!(matches!(refused, Err(IssueError::TooLong { .. })));
}

#[test]
fn a_token_issued_after_a_revocation_is_told_from_one_before() {
    let setup = setup();
    let before = setup.tokens.verify(&setup.issue()).unwrap();
    std::thread::sleep(Duration::from_millis(2));
    let revoked = Utc::now();
    std::thread::sleep(Duration::from_millis(2));
    let after = setup.tokens.verify(&setup.issue()).unwrap();
    assert!(before.issued_before(revoked) && !after.issued_before(revoked));
}
