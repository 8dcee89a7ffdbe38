//! The ledger: signed tree heads, proofs for single commits, and having a head signed. For owners,
//! administrators and auditors.
//!
//! The tree is over the commits of all tenants. A proof is given for commits of the caller's tenant only,
//! and shows of others nothing but hashes.

use super::scalars::{Sequence, UuidScalar};
use super::session::{Session, WAIT};
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use async_graphql::{Context, Object, SimpleObject};
use bus::SignerAnswer;
use data_encoding::BASE64;
use domain::id::CommitId;
use domain::merkle::TreeHash;
use projections::archive;
use projections::ledger::{self, SignedHead, heads, tree};
use std::time::Duration;

/// How long a signature may take: the ledger catches up, the head is written to disk.
const SIGN: Duration = Duration::from_secs(8);

/// What the log was at a size, signed.
#[derive(SimpleObject)]
pub(super) struct TreeHead {
    /// Names the log.
    origin: String,
    /// How many commits it covers: those at positions 1 to `size`.
    size: Sequence,
    /// The root of the Merkle tree over them (RFC 9162), in base64.
    root_hash: String,
    /// The keys that signed, as `<name>+<key id>`.
    signers: Vec<String>,
    /// The signed note (C2SP checkpoint): keep it, and `metamcp audit verify --heads` holds the log to it.
    note: String,
}

impl From<SignedHead> for TreeHead {
    fn from(signed: SignedHead) -> Self {
        let head = signed.head();
        Self {
            origin: head.origin.clone(),
            size: Sequence(head.size),
            root_hash: encode(&head.root),
            signers: signed.signers(),
            note: signed.note().to_owned(),
        }
    }
}

/// Proves that a commit stands where it does in the log.
#[derive(SimpleObject)]
struct AuditProof {
    /// The commit's position; its leaf has the index `sequence - 1`.
    sequence: Sequence,
    /// SHA-256 of a zero byte and the commit's body, in base64.
    leaf_hash: String,
    /// How many commits the tree of this proof covers.
    tree_size: Sequence,
    /// The root of that tree, in base64.
    root_hash: String,
    /// The hashes beside the way from the leaf to the root (RFC 9162 section 2.1.3), in base64.
    inclusion: Vec<String>,
    /// Proves that an earlier tree is the beginning of this one; null without `consistentWith`.
    consistency: Option<Consistency>,
    /// A signed head over exactly this tree; null when there is none.
    tree_head: Option<TreeHead>,
}

/// Proves that one tree is the beginning of another.
#[derive(SimpleObject)]
struct Consistency {
    /// How many commits the earlier tree covers.
    tree_size: Sequence,
    /// The root of the earlier tree, in base64.
    root_hash: String,
    /// The hashes that lead to both roots (RFC 9162 section 2.1.4), in base64.
    path: Vec<String>,
}

/// The reads of the ledger.
#[derive(Default)]
pub(super) struct LedgerQueries;

#[Object]
impl LedgerQueries {
    /// The last signed tree head; null before the first.
    async fn tree_head(&self, ctx: &Context<'_>) -> Result<Option<TreeHead>, ApiError> {
        let session = authorized(ctx)?;
        // Not the largest: heads over what was lost may cover more.
        let last = heads::last(&mut *session.reads().await?).await?;
        let signed = last.map(|last| SignedHead::parse(&last.note)).transpose();
        let signed = signed.map_err(|error| ApiError::internal(&error))?;
        Ok(signed.map(TreeHead::from))
    }

    /// Signed tree heads, the largest first.
    #[graphql(complexity = "usize::try_from(first).unwrap_or(0) * child_complexity + 1")]
    async fn tree_heads(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 20, desc = "How many.")] first: i32,
        #[graphql(
            desc = "Only those that cover fewer commits: the last `size` of the page before."
        )]
        before: Option<Sequence>,
    ) -> Result<Option<Vec<TreeHead>>, ApiError> {
        let session = authorized(ctx)?;
        let first = super::limits::check_first(first.into(), &session.state.config.limits)?;
        let most = u32::try_from(first).unwrap_or(u32::MAX);
        let before = before.map(|before| before.0);
        let page = heads::latest(&mut *session.reads().await?, before, most).await?;
        Ok(Some(page.into_iter().map(TreeHead::from).collect()))
    }

    /// Proves that a commit of your tenant stands in the log. Give `commit` or `sequence`. Without
    /// `treeSize`, the tree is that of the first signed head that covers the commit, or else the present one.
    async fn audit_proof(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The commit's id.")] commit: Option<UuidScalar>,
        #[graphql(desc = "The commit's position in the log.")] sequence: Option<Sequence>,
        #[graphql(desc = "How many commits the tree is to cover.")] tree_size: Option<Sequence>,
        #[graphql(
            desc = "The size of an earlier tree that this one is to be the continuation of."
        )]
        consistent_with: Option<Sequence>,
    ) -> Result<Option<AuditProof>, ApiError> {
        let session = authorized(ctx)?;
        if let Some(Sequence(size)) = tree_size {
            let head = session.state.log.head().await?;
            if size > head {
                return Err(ApiError::Invalid {
                    code: "INVALID_ARGUMENT",
                    message: format!("the log has {head} commits; `treeSize` {size} is more"),
                });
            }
            let positions = &session.state.positions;
            positions.wait_for(ledger::NAME, size, WAIT).await?;
        }
        let mut reads = session.reads().await?;
        let position = match (commit, sequence) {
            (Some(UuidScalar(id)), None) => archive::position_of(&mut reads, CommitId(id)).await?,
            (None, Some(Sequence(position))) => archive::confirm(&mut reads, position).await?,
            _ => return Err(invalid("give either commit or sequence")),
        };
        let position = position.ok_or(ApiError::NotFound)?;
        let signed = heads::covering(&mut reads, tree_size.map_or(position, |size| size.0)).await?;
        let size = match (tree_size, &signed) {
            (Some(Sequence(size)), _) => size,
            (None, Some(signed)) => signed.head().size,
            (None, None) => tree::size(&mut reads).await?,
        };
        let no_tree =
            || invalid("treeSize must cover the commit, and the log must have come so far");
        let leaf = tree::leaf(&mut reads, position)
            .await?
            .ok_or_else(no_tree)?;
        let root = tree::frontier(&mut reads, size)
            .await?
            .ok_or_else(no_tree)?
            .root();
        let inclusion = tree::inclusion(&mut reads, position, size).await?;
        let consistency = match consistent_with {
            None => None,
            Some(Sequence(old)) => {
                let path = tree::consistency(&mut reads, old, size).await?;
                let then = tree::frontier(&mut reads, old).await?;
                let (Some(path), Some(then)) = (path, then) else {
                    return Err(invalid("consistentWith must be from 1 to treeSize"));
                };
                Some(Consistency {
                    tree_size: Sequence(old),
                    root_hash: encode(&then.root()),
                    path: path.iter().map(encode).collect(),
                })
            }
        };
        let over_this_tree =
            |signed: &SignedHead| signed.head().size == size && signed.head().root == root;
        let tree_head = signed.filter(over_this_tree);
        Ok(Some(AuditProof {
            sequence: Sequence(position),
            leaf_hash: encode(&leaf),
            tree_size: Sequence(size),
            root_hash: encode(&root),
            inclusion: inclusion.ok_or_else(no_tree)?.iter().map(encode).collect(),
            consistency,
            tree_head: tree_head.map(TreeHead::from),
        }))
    }
}

/// What can be asked of the signer.
#[derive(Default)]
pub(super) struct LedgerMutations;

#[Object]
impl LedgerMutations {
    /// Has a head over the log as it is now signed, and answers it; the last one when nothing was written
    /// since. Changes nothing in the registry, and so needs no more than the right to read the ledger.
    async fn sign_tree_head(&self, ctx: &Context<'_>) -> Result<Option<TreeHead>, ApiError> {
        let session = authorized(ctx)?;
        let answer = session.state.log.ask_for_tree_head(SIGN).await;
        let answer = answer.map_err(|e| ApiError::unavailable("the signer of tree heads", &e))?;
        match answer {
            SignerAnswer::Note(note) => {
                let signed = SignedHead::parse(&note);
                let signed = signed.map_err(|error| ApiError::internal(&error))?;
                Ok(Some(signed.into()))
            }
            SignerAnswer::Refused(message) => Err(ApiError::Rejected {
                code: "TREE_HEAD_REFUSED",
                message,
            }),
        }
    }
}

fn authorized<'a>(ctx: &Context<'a>) -> Result<&'a Session, ApiError> {
    let session = Session::of(ctx);
    session.authorize(Action::ReadLedger, &Resource::any(ResourceKind::Ledger))?;
    Ok(session)
}

fn invalid(message: &str) -> ApiError {
    ApiError::Invalid {
        code: "INVALID_PROOF_REQUEST",
        message: message.to_owned(),
    }
}

fn encode(hash: &TreeHash) -> String {
    BASE64.encode(&hash.0)
}
