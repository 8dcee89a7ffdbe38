//! What PostgreSQL writes into its own log: statements and errors, and no value of theirs.

use crate::support::Servers;
use projections::Database;
use sqlx::Executor;
use sqlx::postgres::PgDatabaseError;

/// A person's name that occurs nowhere else.
const NAME: &str = "Zyx Logname";

/// A principal without roles, which the table refuses.
const WITHOUT_ROLES: &str = "INSERT INTO access.principals
    (tenant, principal_id, kind, handle, roles, active, registered_at, updated_at, valid_from)
    VALUES ('acme', 'p', 'user', $1, NULL, true, now(), now(), 1)";

/// The same, through the function by which projectors write: it passes the values on in the text of a statement.
const IN_A_BATCH: &str = "SELECT metamcp.write_batch('canary', 0, NULL, 1, NULL,
    'access', 'access'::regnamespace::oid, 'without_roles', ARRAY[$1])";

#[tokio::test]
async fn the_log_of_postgresql_holds_slow_statements_and_errors_and_names_no_person() {
    let servers = Servers::start_with(false).await;
    let folder = tempfile::tempdir().unwrap();
    let config = servers.fresh_config(folder.path()).await;
    let database = Database::new(&config.postgres.address().unwrap()).unwrap();
    database.migrate().await.unwrap();
    let mut connection = database.connect().await.unwrap();

    let slow = sqlx::query("SELECT pg_sleep(1.1), $1").bind(NAME);
    slow.execute(&mut connection).await.unwrap();
    let checkpoint = "INSERT INTO metamcp.checkpoints VALUES ('canary', 0)";
    connection.execute(checkpoint).await.unwrap();
    let prepare = format!("PREPARE without_roles (text) AS {WITHOUT_ROLES}");
    connection.execute(prepare.as_str()).await.unwrap();
    for statement in [WITHOUT_ROLES, IN_A_BATCH] {
        let refused = sqlx::query(statement).bind(NAME);
        let refused = refused.execute(&mut connection).await.unwrap_err();
        let refused = refused.into_database_error().unwrap();
        let refused = refused.downcast_ref::<PgDatabaseError>();
        assert_eq!(refused.code(), "23502", "{refused:?}");
        let row = refused.detail().unwrap_or_default();
        assert!(row.contains(NAME), "the client hears of the row: {row}");
    }

    let log = std::fs::read_to_string(servers.postgres_log()).unwrap();
    let slow = |line: &str| line.contains("LOG:  duration: ") && line.contains("pg_sleep");
    assert!(log.lines().any(slow), "{log}");
    let refused = "ERROR:  null value in column \"roles\" of relation \"principals\"";
    assert_eq!(log.matches(refused).count(), 2, "{log}");
    assert!(!log.contains(NAME), "{log}");
}
