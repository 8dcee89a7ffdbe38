//! Real servers for the tests: one private PostgreSQL and one private nats-server for all tests that run at
//! the same time, a database and a stream for each test.

mod client;
mod dns_server;
mod live;
mod need;
mod port;
mod program;
mod proxy;
mod servers;

pub(crate) use client::Client;
pub(crate) use dns_server::DnsServer;
pub(crate) use live::{Heard, Live};
pub(crate) use need::{Need, cannot_run};
pub(crate) use port::free_port;
pub(crate) use program::{program, said};
pub(crate) use proxy::Proxy;
pub(crate) use servers::Servers;

use api::config::{Config, EmbedderKind};
use domain::envelope::Actor;
use domain::id::{PrincipalId, TenantId};
use domain::principal::{
    Principal, PrincipalCommand, PrincipalKind, RegisterPrincipal, Role, SealedFields,
};
use metamcp::app::{App, Role as ProcessRole};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use secrecy::ExposeSecret;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a test waits for something that takes milliseconds when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A whole installation of its own.
pub(crate) struct Installation {
    pub(crate) app: App,
    pub(crate) config: Config,
    pub(crate) base: String,
    pub(crate) servers: Arc<Servers>,
    _folder: TempDir,
}

impl Installation {
    /// Everything, with full-text search only.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Everything, with a changed configuration.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_on(Servers::shared().await, change).await
    }

    /// Everything, on given servers.
    pub(crate) async fn start_on(servers: Arc<Servers>, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = servers.fresh_config(folder.path()).await;
        change(&mut config);
        let roles = [ProcessRole::Api, ProcessRole::Projector];
        let (app, base) = serve(&config, &roles).await;
        Self {
            app,
            config,
            base,
            servers,
            _folder: folder,
        }
    }

    /// Stopped and started again on the same data, with a changed configuration.
    pub(crate) async fn restart_with(self, change: impl FnOnce(&mut Config)) -> Self {
        let Self {
            app,
            mut config,
            servers,
            _folder,
            ..
        } = self;
        app.stop().await;
        change(&mut config);
        let roles = [ProcessRole::Api, ProcessRole::Projector];
        let (app, base) = serve(&config, &roles).await;
        Self {
            app,
            config,
            base,
            servers,
            _folder,
        }
    }

    /// Goes on as a process of other roles on the same data.
    pub(crate) async fn become_another(&mut self, roles: &[ProcessRole]) {
        let (app, base) = serve(&self.config, roles).await;
        self.base = base;
        std::mem::replace(&mut self.app, app).stop().await;
    }

    /// A client with a principal of its own that holds the roles.
    pub(crate) async fn client(&self, tenant: &str, handle: &str, roles: &[Role]) -> Client {
        let token = self.token(tenant, handle, roles).await;
        Client::new(&self.base, Some(token))
    }

    /// A client without a token.
    pub(crate) fn stranger(&self) -> Client {
        Client::new(&self.base, None)
    }

    /// Registers tenant and principal, and waits until `access` knows them.
    pub(crate) async fn token(&self, tenant: &str, handle: &str, roles: &[Role]) -> String {
        let tenant = TenantId::new(tenant).unwrap();
        let (dispatcher, vault) = (&self.app.state.dispatcher, &self.app.state.vault);
        let actor = Actor::system("test");
        let (_, mut at, _) = metamcp::provision(dispatcher, vault, &tenant, "founder", &actor)
            .await
            .unwrap();
        let id = PrincipalId::derive(&tenant, handle);
        let register = RegisterPrincipal {
            kind: PrincipalKind::User,
            handle: handle.to_owned(),
            roles: roles.to_vec(),
            display_name: None,
            email: None,
            sealed: SealedFields::default(),
        };
        let register = vault.seal(&tenant, &id, register).await.unwrap();
        let register = PrincipalCommand::Register(register);
        let context = bus::CommandContext::new(tenant.clone(), actor);
        if let Ok(done) = dispatcher
            .dispatch::<Principal>(&context, id.as_str(), register)
            .await
        {
            at = done.stream_sequence;
        }
        self.reached("access", at).await;
        let issued = self.app.state.tokens.issue(&tenant, &id, None).unwrap();
        issued.token.expose_secret().to_owned()
    }

    pub(crate) async fn reached(&self, projector: &'static str, at: u64) {
        let positions = &self.app.state.positions;
        positions.wait_for(projector, at, PATIENCE).await.unwrap();
        // A request is let in when the permissions are known to be current.
        let begun = Instant::now();
        while !positions.staleness("access").is_zero() && begun.elapsed() < PATIENCE / 10 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until every projector stands at the head of the log.
    pub(crate) async fn settle(&self) -> u64 {
        let head = self.app.state.log.head().await.unwrap();
        for projector in projections::registry::NAMES {
            self.reached(projector, head).await;
        }
        head
    }
}

/// Serves on a free port.
pub(crate) async fn serve(config: &Config, roles: &[ProcessRole]) -> (App, String) {
    let listener = api::serve::bind("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let mut config = config.clone();
    config.http.listen = listener.local_addr().unwrap();
    let base = config.http.base_url().trim_end_matches('/').to_owned();
    let app = App::start(config, roles, Some(listener), metrics(), Arc::new(|_| {}))
        .await
        .unwrap();
    (app, base)
}

/// The folder of the embedding model; without it, [`cannot_run`] has said so.
pub(crate) fn model() -> Option<PathBuf> {
    let folder = metamcp::doctor::model_dir(&metamcp::embedded::tools_dir());
    if folder.join("model.safetensors").is_file() {
        return Some(folder);
    }
    let why = format!(
        "no embedding model at {}; run `./dev setup`",
        folder.display()
    );
    cannot_run(Need::Model, &why);
    None
}

/// The Python that has the clients of others; without it, [`cannot_run`] has said so.
pub(crate) fn python() -> Option<PathBuf> {
    let found = std::env::var_os("METAMCP_TEST_PYTHON").map(PathBuf::from);
    if found.is_none() {
        let why = "METAMCP_TEST_PYTHON is not set; `./dev test` sets it";
        cannot_run(Need::Python, why);
    }
    found
}

fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| PrometheusBuilder::new().install_recorder().unwrap())
        .clone()
}

/// Search without vectors: what most tests need.
pub(crate) fn without_model(config: &mut Config) {
    config.search.embedder = EmbedderKind::None;
}
