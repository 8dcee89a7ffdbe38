use std::sync::Arc;

use tempfile::TempDir;

use super::super::document::ToolDocument;
use super::super::embed::{Embedder, NoEmbedder};
use super::super::testing::{Letters, document, in_force};
use super::*;

async fn index(embedder: impl Embedder + 'static) -> (SearchIndex, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let uri = folder.path().to_str().unwrap();
    let index = SearchIndex::open(uri, "tools", Arc::new(embedder))
        .await
        .unwrap();
    let hidden = ToolDocument {
        visibility: "private".into(),
        ..document("acme", "send_mail_secretly", "Sends mail.")
    };
    let retired = ToolDocument {
        status: "retired".into(),
        ..document("acme", "send_mail_slowly", "Sends mail.")
    };
    let documents = [
        document("acme", "send_mail", "Sends mail."),
        document("acme", "send_mail_later", "Sends mail at a time."),
        document("acme", "quux", "Fizz buzz."),
        document("rival", "send_mails", "Sends mail."),
        hidden,
        retired,
    ];
    index.upsert(&documents, &|_| ()).await.unwrap();
    (index, folder)
}

fn like(tool: &str) -> SimilarRequest {
    SimilarRequest {
        tenant: TenantId::new("acme").unwrap(),
        scope: Scope::Tenant {
            installed: Vec::new(),
        },
        tool_id: format!("id-{tool}"),
        sight: Sight::listed([Visibility::Public]),
        first: 10,
    }
}

fn ids(found: &[Similar]) -> Vec<&str> {
    found
        .iter()
        .map(|similar| similar.tool_id.as_str())
        .collect()
}

#[tokio::test]
async fn the_nearest_come_first_without_the_tool_itself_hidden_retired_and_foreign_ones() {
    let (index, _folder) = index(Letters).await;
    let found = index.similar(&like("send_mail")).await.unwrap();
    assert_eq!(ids(&found), ["id-send_mail_later", "id-quux"]);
    assert!(found[0].score > found[1].score && found[0].semantic);
    assert_eq!(&found[0].shared_words[..2], ["send", "mail"]);
    let reason = found[0].reason();
    assert!(
        reason.starts_with("similar in meaning (0.") && reason.contains("send, mail"),
        "{reason}"
    );
    let one = SimilarRequest {
        first: 1,
        ..like("send_mail")
    };
    assert_eq!(index.similar(&one).await.unwrap().len(), 1);
}

#[tokio::test]
async fn without_vectors_shared_words_decide() {
    let (index, _folder) = index(NoEmbedder).await;
    let found = index.similar(&like("send_mail")).await.unwrap();
    assert_eq!(ids(&found)[0], "id-send_mail_later");
    assert!(!found[0].semantic && (found[0].score - 1.0).abs() < f32::EPSILON);
    assert!(found[0].reason().starts_with("both say send, mail"));
}

#[tokio::test]
async fn installed_ones_are_found_and_compared_with_while_they_are_public_and_in_use() {
    let (index, _folder) = index(NoEmbedder).await;
    let secret = ToolDocument {
        visibility: "private".into(),
        ..document("rival", "send_mail_by_night", "Sends mail.")
    };
    let retired = ToolDocument {
        status: "retired".into(),
        ..document("rival", "send_mail_by_day", "Sends mail.")
    };
    let other = document("rival", "send_mail_by_post", "Sends mail.");
    let documents = [secret, retired, other];
    index.upsert(&documents, &|_| ()).await.unwrap();
    let installed = ["send_mails", "send_mail_by_night", "send_mail_by_day"];
    let scope = Scope::Tenant {
        installed: Vec::from(installed.map(|name| in_force(name, "1.0.0", &[]))),
    };
    let like = |tool: &str| SimilarRequest {
        scope: scope.clone(),
        ..like(tool)
    };
    let found = index.similar(&like("send_mail_later")).await.unwrap();
    let mut found = ids(&found);
    found.sort_unstable();
    assert_eq!(found, ["id-quux", "id-send_mail", "id-send_mails"]);
    let found = index.similar(&like("send_mails")).await.unwrap();
    assert!(ids(&found).contains(&"id-send_mail"));
    let found = index.similar(&like("send_mail_by_night")).await.unwrap();
    assert_eq!(
        found,
        [],
        "what another tenant hides is compared with nothing"
    );
}

#[tokio::test]
async fn an_unknown_tool_and_a_caller_who_sees_nothing_get_nothing() {
    let (index, _folder) = index(Letters).await;
    assert_eq!(index.similar(&like("nowhere")).await.unwrap(), []);
    let blind = SimilarRequest {
        sight: Sight::default(),
        ..like("send_mail")
    };
    assert_eq!(index.similar(&blind).await.unwrap(), []);
}
