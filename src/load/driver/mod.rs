//! Makes one request and says what came of it.

mod grpc;
mod http;
mod metadata;
mod query;

pub(super) use self::grpc::by_name;
pub(super) use self::query::assume_role_form;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::book::Outcome;
use super::population::{Population, Tenant};
use super::random::Random;
use super::scenario::{Operation, Protocol, Scenario, Share};
use super::setup::Endpoints;

/// A request to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Job {
    /// Which part of the mix.
    pub(super) part: usize,
    /// For which account.
    pub(super) tenant: usize,
    /// Which connection, instance or role, modulo how many there are.
    pub(super) number: u64,
}

/// What requests are made to.
pub(super) trait Server: Send + Sync + 'static {
    /// Draws what to ask for next.
    fn draw(&self, random: &mut Random) -> Job;

    /// Makes a request.
    fn perform(&self, job: Job) -> impl Future<Output = Outcome> + Send;
}

/// A deployment with the population in it.
pub(super) struct Deployment {
    pub(super) population: Arc<Population>,
    mix: Vec<Share>,
    /// The weights added up; the last is their sum.
    weights: Vec<f64>,
    timeout: Duration,
    region: String,
    aws: Option<http::Place>,
    metadata: Option<http::Place>,
    pool: http::Pool,
    drawn: AtomicU64,
}

impl Deployment {
    pub(super) async fn new(
        scenario: &Scenario,
        endpoints: &Endpoints,
        population: Population,
    ) -> Result<Self, super::LoadError> {
        let mut sum = 0.0;
        let weights = scenario.mix.iter().map(|share| {
            sum += share.weight;
            sum
        });
        let weights = weights.collect();
        let needed = |protocol, endpoint: &Option<String>, option| match endpoint {
            Some(endpoint) if scenario.uses(protocol) => Ok(Some(endpoint.clone())),
            None if scenario.uses(protocol) => {
                let field = format!("mix with protocol {protocol}");
                Err(super::LoadError::field(field, format!("needs {option}")))
            }
            _ => Ok(None),
        };
        let aws = needed(Protocol::Query, &endpoints.aws, "--aws or AWS_ENDPOINT_URL")?;
        let metadata = needed(
            Protocol::Http,
            &endpoints.metadata,
            "--metadata or AWS_EC2_METADATA_SERVICE_ENDPOINT",
        )?;
        let aws = match aws {
            Some(endpoint) => Some(http::Place::find(&endpoint).await?),
            None => None,
        };
        let metadata = match metadata {
            Some(endpoint) => Some(http::Place::find(&endpoint).await?),
            None => None,
        };
        Ok(Self {
            population: Arc::new(population),
            mix: scenario.mix.clone(),
            weights,
            timeout: scenario.timeout.0,
            region: endpoints.region.clone(),
            aws,
            metadata,
            pool: http::Pool::default(),
            drawn: AtomicU64::new(0),
        })
    }

    async fn ask(&self, share: &Share, tenant: &Tenant, number: u64) -> Outcome {
        match (share.operation, share.protocol) {
            (Operation::MetadataRead, Protocol::Grpc) => {
                grpc::role_credentials(tenant, number).await
            }
            (Operation::MetadataRead, _) => self.read_metadata(tenant, number).await,
            (Operation::AssumeRole, Protocol::Query) => self.query_assume_role(tenant).await,
            (Operation::AssumeRole, _) => grpc::assume_role(tenant, number).await,
            (Operation::AssumeRoleChained, Protocol::Query) => self.query_chained(tenant).await,
            (Operation::AssumeRoleChained, _) => {
                grpc::assume_role_chained(&self.population, tenant, number).await
            }
            (Operation::AssociationChurn, _) => grpc::churn(tenant, number).await,
            (Operation::Authorize, _) => grpc::authorize(tenant, &self.region, number).await,
        }
    }
}

impl Server for Deployment {
    fn draw(&self, random: &mut Random) -> Job {
        let sum = self.weights.last().copied().unwrap_or_default();
        let drawn = random.unit() * sum;
        let part = self.weights.partition_point(|weight| *weight <= drawn);
        let part = part.min(self.weights.len().saturating_sub(1));
        let tenant = self.population.pick(random);
        Job { part, tenant, number: self.drawn.fetch_add(1, Ordering::Relaxed) }
    }

    async fn perform(&self, job: Job) -> Outcome {
        let found = self.mix.get(job.part).zip(self.population.tenants.get(job.tenant));
        let Some((share, tenant)) = found else { return Outcome::NotMade };
        let asked = self.ask(share, tenant, job.number);
        tokio::time::timeout(self.timeout, asked).await.unwrap_or(Outcome::TimedOut)
    }
}
