//! `/healthz` (this process lives) and `/readyz` (it can answer): red with the reason in the body.
//!
//! Not ready: NATS or Postgres is away, a projector has halted, or the permissions are too far behind. A
//! lagging search index, a parked event, a projector that tries again or a log that takes no commits (its
//! disk is full, for example) is shown and does not turn it red, because the rest still answers.

use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use projections::{ProjectorHealth, ProjectorState, access};
use serde::Serialize;
use std::time::Duration;
use tokio::time::timeout;

/// Time for each check; they run side by side.
const DEADLINE: Duration = Duration::from_secs(2);

/// The body of `/readyz`.
#[derive(Debug, Serialize)]
pub struct Readiness {
    ready: bool,
    nats: Part,
    postgres: Part,
    permissions: Part,
    commands: Part,
    projectors: Vec<Projector>,
}

#[derive(Debug, Serialize)]
struct Part {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Projector {
    name: &'static str,
    position: u64,
    head: u64,
    lag: u64,
    parked: u64,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Alive.
pub async fn live() -> &'static str {
    "ok\n"
}

/// Ready, or why not; bounded in time.
pub async fn ready(State(state): State<AppState>) -> (StatusCode, Json<Readiness>) {
    let nats = timeout(DEADLINE, state.log.head());
    let postgres = timeout(DEADLINE, state.reads.ping());
    let (nats, postgres) = tokio::join!(nats, postgres);
    let current = state.positions.staleness(access::NAME) <= state.config.auth.max_access_lag;
    let readiness = judge(
        Part::of(matches!(nats, Ok(Ok(_))), "no answer from NATS"),
        Part::of(matches!(postgres, Ok(Ok(()))), "no answer from Postgres"),
        Part::of(
            current,
            "the permissions are behind the log: requests are refused",
        ),
        Part::of(
            state.log.takes_commits(),
            "the log took no commit when it was last asked to: is its disk full?",
        ),
        state.positions.health(),
    );
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(readiness))
}

fn judge(
    nats: Part,
    postgres: Part,
    permissions: Part,
    commands: Part,
    projectors: Vec<ProjectorHealth>,
) -> Readiness {
    let halted = |health: &ProjectorHealth| matches!(health.state, ProjectorState::Halted { .. });
    let running = !projectors.iter().any(halted);
    Readiness {
        ready: nats.ok && postgres.ok && permissions.ok && running,
        nats,
        postgres,
        permissions,
        commands,
        projectors: projectors.into_iter().map(Projector::from).collect(),
    }
}

impl Part {
    fn of(ok: bool, problem: &'static str) -> Self {
        Self {
            ok,
            problem: (!ok).then_some(problem),
        }
    }
}

impl From<ProjectorHealth> for Projector {
    fn from(health: ProjectorHealth) -> Self {
        let (state, reason) = match health.state {
            ProjectorState::Running | ProjectorState::Following | ProjectorState::Unknown
                if health.parked > 0 =>
            {
                let parked = "commits are parked: see `metamcp dead-letter list`";
                ("degraded", Some(format!("{} {parked}", health.parked)))
            }
            ProjectorState::Running => ("running", None),
            ProjectorState::Following => ("following", None),
            ProjectorState::Retrying { reason } => ("retrying", Some(reason)),
            ProjectorState::Halted { reason } => ("halted", Some(reason)),
            ProjectorState::Unknown => ("unknown", None),
        };
        Self {
            name: health.projector,
            position: health.position,
            head: health.head,
            lag: health.lag,
            parked: health.parked,
            state,
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(state: ProjectorState, parked: u64) -> ProjectorHealth {
        ProjectorHealth {
            projector: "catalog",
            position: 7,
            head: 9,
            lag: 2,
            parked,
            state,
        }
    }

    fn ready(parts: [bool; 3], state: ProjectorState) -> bool {
        let [nats, postgres, permissions] = parts.map(|ok| Part::of(ok, "away"));
        let commands = Part::of(false, "refused");
        let projectors = vec![health(state, 1)];
        judge(nats, postgres, permissions, commands, projectors).ready
    }

    #[test]
    fn every_part_turns_it_red_but_that_commands_are_refused() {
        assert!(ready([true; 3], ProjectorState::Running));
        assert!(ready([true; 3], ProjectorState::Following));
        assert!(ready([true; 3], ProjectorState::Unknown), "led elsewhere");
        assert!(ready(
            [true; 3],
            ProjectorState::Retrying {
                reason: String::new()
            }
        ));
        for parts in [
            [false, true, true],
            [true, false, true],
            [true, true, false],
        ] {
            assert!(!ready(parts, ProjectorState::Running), "{parts:?}");
        }
        assert!(!ready(
            [true; 3],
            ProjectorState::Halted {
                reason: "the log was replaced".into()
            }
        ));
    }

    #[test]
    fn a_projector_with_parked_commits_is_degraded_and_serves() {
        let parked = Projector::from(health(ProjectorState::Running, 2));
        assert_eq!(parked.state, "degraded");
        assert!(
            parked
                .reason
                .is_some_and(|reason| reason.contains("dead-letter"))
        );
        assert_eq!(
            Projector::from(health(ProjectorState::Running, 0)).state,
            "running"
        );
        assert!(
            ready([true; 3], ProjectorState::Running),
            "it still answers"
        );
    }

    #[test]
    fn the_body_says_where_each_projector_is() {
        let halted = Projector::from(health(
            ProjectorState::Halted {
                reason: "why".into(),
            },
            3,
        ));
        let body = serde_json::to_value(halted).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "name": "catalog", "position": 7, "head": 9, "lag": 2, "parked": 3,
                "state": "halted", "reason": "why",
            })
        );
    }
}
