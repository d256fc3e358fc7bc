//! `locum revoke`: shows from the log what was issued, and voids it.

use clap::{Args, Subcommand};

use super::call::{Target, told};
use super::{Failure, say};
use crate::clock::Timestamp;
use crate::proto::v1::revocation_service_client::RevocationServiceClient;
use crate::proto::v1::{
    IssuedSession, ListSessionsRequest, RevokeInstanceSessionsRequest, RevokeRoleSessionsRequest,
    RevokeSessionRequest, RevokeUserSessionsRequest,
};

/// Pages of sessions that are shown; what comes after is voided too and counted by nobody.
const PAGES_MAX: usize = 100;

/// Voids sessions of the caller's account. Without --yes it only shows what would be voided.
#[derive(Subcommand)]
pub(super) enum RevokeCommand {
    /// One session, by its access key.
    Session(KeyArgs),
    /// One session and everything that came from it, in whatever account.
    Chain(KeyArgs),
    /// All sessions of an instance; it gets new credentials at once if it still has a role.
    Instance(ManyArgs),
    /// All sessions of a role; instances that have it get new credentials at once.
    Role(ManyArgs),
    /// All sessions that a user asked for itself: of GetSessionToken and of GetFederationToken.
    User(ManyArgs),
}

#[derive(Args)]
pub(super) struct KeyArgs {
    /// `ASIA...`
    access_key_id: String,
    #[command(flatten)]
    how: How,
}

#[derive(Args)]
pub(super) struct ManyArgs {
    /// The instance's id, or the name of the role or user.
    name: String,
    /// Only those issued before this, such as 2026-11-24T04:08:00Z; all until now if not given.
    #[arg(long)]
    before: Option<Timestamp>,
    /// Voids what came from them too, in whatever account.
    #[arg(long)]
    chained: bool,
    #[command(flatten)]
    how: How,
}

#[derive(Args)]
struct How {
    /// Only shows the sessions, which is what happens without --yes too.
    #[arg(long, conflicts_with = "yes")]
    show: bool,
    /// Voids them.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    target: Target,
}

pub(super) async fn run(command: RevokeCommand) -> Result<(), Failure> {
    let mut list = ListSessionsRequest::default();
    let (how, call) = match command {
        RevokeCommand::Session(args) => (args.how, Call::Session(args.access_key_id, false)),
        RevokeCommand::Chain(args) => (args.how, Call::Session(args.access_key_id, true)),
        RevokeCommand::Instance(args) => {
            (args.how, Call::Instance(args.name, args.before, args.chained))
        }
        RevokeCommand::Role(args) => (args.how, Call::Role(args.name, args.before, args.chained)),
        RevokeCommand::User(args) => (args.how, Call::User(args.name, args.before, args.chained)),
    };
    match &call {
        Call::Session(key, chained) => {
            list.access_key_id.clone_from(key);
            list.chained = *chained;
        }
        Call::Instance(id, before, chained) => {
            list.instance_id.clone_from(id);
            (list.issued_before, list.chained) = (before.map(stamp), *chained);
        }
        Call::Role(name, before, chained) => {
            list.role_name.clone_from(name);
            (list.issued_before, list.chained) = (before.map(stamp), *chained);
        }
        Call::User(name, before, chained) => {
            list.user_name.clone_from(name);
            (list.issued_before, list.chained) = (before.map(stamp), *chained);
        }
    }
    let mut client = RevocationServiceClient::new(how.target.channel()?);
    let shown = show(&mut client, list).await?;
    if !how.yes {
        let session = if shown == 1 { "session lives" } else { "sessions live" };
        say(format_args!("{shown} {session}; nothing was voided: --yes does it"))?;
        return Ok(());
    }
    let sequence = call.void(&mut client).await?;
    say(format_args!("voided, as record {sequence} tells"))?;
    Ok(())
}

/// What is voided.
enum Call {
    Session(String, bool),
    Instance(String, Option<Timestamp>, bool),
    Role(String, Option<Timestamp>, bool),
    User(String, Option<Timestamp>, bool),
}

type Client = RevocationServiceClient<crate::client::SignedChannel>;

impl Call {
    /// The record that tells of it.
    async fn void(self, client: &mut Client) -> Result<u64, Failure> {
        let idempotency_token = String::new();
        Ok(match self {
            Self::Session(access_key_id, chained) => {
                let request = RevokeSessionRequest { access_key_id, chained, idempotency_token };
                let answer = client.revoke_session(request).await;
                answer.map_err(|status| told(&status))?.into_inner().sequence
            }
            Self::Instance(instance_id, before, chained) => {
                let before = before.map(stamp);
                let request = RevokeInstanceSessionsRequest {
                    instance_id,
                    before,
                    chained,
                    idempotency_token,
                };
                let answer = client.revoke_instance_sessions(request).await;
                answer.map_err(|status| told(&status))?.into_inner().sequence
            }
            Self::Role(role_name, before, chained) => {
                let before = before.map(stamp);
                let request =
                    RevokeRoleSessionsRequest { role_name, before, chained, idempotency_token };
                let answer = client.revoke_role_sessions(request).await;
                answer.map_err(|status| told(&status))?.into_inner().sequence
            }
            Self::User(user_name, before, chained) => {
                let before = before.map(stamp);
                let request =
                    RevokeUserSessionsRequest { user_name, before, chained, idempotency_token };
                let answer = client.revoke_user_sessions(request).await;
                answer.map_err(|status| told(&status))?.into_inner().sequence
            }
        })
    }
}

/// Prints the living sessions and counts them.
async fn show(client: &mut Client, mut list: ListSessionsRequest) -> Result<usize, Failure> {
    let mut shown = 0;
    for _ in 0..PAGES_MAX {
        let answer = client.list_sessions(list.clone()).await;
        let answer = answer.map_err(|status| told(&status))?.into_inner();
        for session in &answer.sessions {
            say(line(session))?;
        }
        shown += answer.sessions.len();
        if answer.next_page_token.is_empty() {
            return Ok(shown);
        }
        list.page_token = answer.next_page_token;
    }
    say("and more")?;
    Ok(shown)
}

fn line(session: &IssuedSession) -> String {
    let time = |time: &Option<prost_types::Timestamp>| {
        let seconds = time.as_ref().map_or(0, |time| time.seconds);
        Timestamp::from_unix_seconds(seconds).iso8601()
    };
    let (key, subject, to) = (&session.access_key_id, &session.subject, &session.issued_to);
    let (issued, ends) = (time(&session.issued_at), time(&session.expires_at));
    let mut line = format!("{key}  {subject}  issued {issued} to {to}, ends {ends}");
    if !session.source_identity.is_empty() {
        line.push_str(&format!(", for {}", session.source_identity));
    }
    if let Some(parent) = session.chain.last() {
        line.push_str(&format!(", came from {parent}"));
    }
    match &session.last_use {
        Some(last) => {
            let (service, region) = (&last.service, &last.region);
            line.push_str(&format!(", last used {} for {service} in {region}", time(&last.time)));
        }
        None => line.push_str(", no use known"),
    }
    if session.revoked {
        line.push_str(", void already");
    }
    line
}

fn stamp(time: Timestamp) -> prost_types::Timestamp {
    let nanos = time.as_millis().rem_euclid(1000) * 1_000_000;
    prost_types::Timestamp {
        seconds: time.as_unix_seconds(),
        nanos: i32::try_from(nanos).unwrap_or_default(),
    }
}
