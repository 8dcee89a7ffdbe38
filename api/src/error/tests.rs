use super::*;
use crate::authz::Denied;
use axum::body::to_bytes;
use bus::DispatchError;
use domain::principal::PrincipalError;
use domain::tool::ToolError;

fn all() -> Vec<(ApiError, u16, &'static str)> {
    let text = String::new;
    vec![
        (
            ApiError::Rejected {
                code: "A_RULE",
                message: text(),
            },
            422,
            "A_RULE",
        ),
        (ApiError::Conflict, 409, "CONFLICT"),
        (ApiError::NotFound, 404, "NOT_FOUND"),
        (TokenProblem::Missing.into(), 401, "UNAUTHENTICATED"),
        (ApiError::Forbidden { message: text() }, 403, "FORBIDDEN"),
        (
            ApiError::Unavailable { message: text() },
            503,
            "UNAVAILABLE",
        ),
        (
            ApiError::Invalid {
                code: "BAD",
                message: text(),
            },
            400,
            "BAD",
        ),
        (
            ApiError::Invalid {
                code: ApiError::TOO_LARGE,
                message: text(),
            },
            413,
            "TOO_LARGE",
        ),
        (ApiError::Internal { id: Uuid::nil() }, 500, "INTERNAL"),
    ]
}

#[tokio::test]
async fn http_answers_with_a_problem_document() {
    for (error, status, code) in all() {
        let response = error.into_response();
        assert_eq!(response.status(), status);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        let challenged = response.headers().contains_key(header::WWW_AUTHENTICATE);
        assert_eq!(challenged, matches!(status, 401 | 403), "{code}");
        assert_eq!(
            response.headers().contains_key(header::RETRY_AFTER),
            status == 503
        );
        let body = to_bytes(response.into_body(), 4096).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (body["status"].as_u64(), body["code"].as_str()),
            (Some(status.into()), Some(code))
        );
        assert_eq!(body["retryable"], matches!(status, 409 | 503));
    }
}

#[test]
fn graphql_and_mcp_carry_the_same_code() {
    for (error, _, code) in all() {
        let mcp = error.to_tool_result();
        assert_eq!(mcp.is_error, Some(true));
        assert_eq!(
            mcp.structured_content, None,
            "it would not match the tool's output schema"
        );
        assert_eq!(mcp.meta.unwrap().0["metamcp/error"]["code"], code);
        let resolver: Result<(), async_graphql::Error> = (|| Err(error)?)();
        let mut server = resolver.unwrap_err().into_server_error(Default::default());
        ApiError::extend_graphql(&mut server);
        let extensions = serde_json::to_value(server.extensions.unwrap()).unwrap();
        assert_eq!(extensions["code"], code);
    }
}

#[test]
fn the_challenge_follows_rfc_6750() {
    let challenge = |problem: TokenProblem| ApiError::from(problem).challenge().unwrap();
    assert_eq!(
        challenge(TokenProblem::Missing),
        "Bearer",
        "no error code without a token"
    );
    assert_eq!(
        challenge(TokenProblem::Invalid("it has expired")),
        "Bearer error=\"invalid_token\", error_description=\"it has expired\""
    );
}

#[test]
fn rejections_keep_their_code_and_absence_becomes_not_found() {
    let taken = DispatchError::Rejected(ToolError::AlreadyRegistered);
    assert_eq!(ApiError::from(taken).code(), "TOOL_ALREADY_REGISTERED");
    let absent = DispatchError::Rejected(PrincipalError::NotRegistered);
    assert_eq!(ApiError::from(absent), ApiError::NotFound);
    let raced = DispatchError::<ToolError>::Conflict;
    assert!(ApiError::from(raced).is_retryable());
}

#[test]
fn hidden_is_absent() {
    let denied = |hidden| Denied {
        action: crate::authz::Action::RetireTool,
        kind: crate::authz::ResourceKind::Tool,
        hidden,
        policy_version: String::new(),
    };
    assert_eq!(ApiError::from(denied(true)), ApiError::NotFound);
    assert_eq!(ApiError::from(denied(false)).code(), "FORBIDDEN");
}

#[test]
fn a_fault_of_ours_shows_an_id_and_nothing_else() {
    let secret = std::io::Error::other("password=hunter2");
    let shown = ApiError::internal(&secret);
    assert!(!shown.problem().to_string().contains("hunter2"));
    assert!(matches!(shown, ApiError::Internal { .. }));
    assert!(chain(&secret).contains("hunter2"), "the log has it");
}
