//! `locum keyring`: the versions of the root key, of a running server and outside of one.

use std::ffi::OsString;
use std::io::Read as _;
use std::time::Duration;

use clap::Subcommand;
use ring::rand::SystemRandom;
use zeroize::Zeroizing;

use super::call::{self, Target, told};
use super::{Failure, say};
use crate::client::SignedChannel;
use crate::proto::v1::keyring_service_client::KeyringServiceClient;
use crate::proto::v1::{
    ListKeyringRequest, ListKeyringResponse, ReloadKeyringRequest, RetireKeyringVersionRequest,
    RotateKeyringRequest,
};
use crate::signing::{KeyState, Keyring};

/// How often progress is asked for.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);
/// Bytes of a keyring that is read.
const KEYRING_BYTES_MAX: u64 = 64 * 1024;

#[derive(Subcommand)]
pub(super) enum KeyringCommand {
    /// Lists the versions and how many accounts' keys each wraps.
    List {
        #[command(flatten)]
        target: Target,
    },
    /// Makes a new version active; keys of accounts move to it in the background.
    Rotate {
        /// Only makes the next version, so that other nodes can be given it first.
        #[arg(long)]
        prepare_only: bool,
        /// Waits until every key has moved.
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        target: Target,
    },
    /// Forgets a retired version; refused while it still wraps a key.
    Retire {
        /// The version.
        version: u32,
        #[command(flatten)]
        target: Target,
    },
    /// Has the server read its keyring's file again, as SIGHUP does.
    Reload {
        #[command(flatten)]
        target: Target,
    },
    /// Prints a new keyring, for where it is kept elsewhere than in a file: `locum keyring new | KEEP`.
    New,
    /// Reads a keyring from standard input and prints it with a new active version.
    Advance,
    /// A call of KeyringService.
    #[command(external_subcommand)]
    Call(Vec<OsString>),
}

type Client = KeyringServiceClient<SignedChannel>;

pub(super) async fn run(command: KeyringCommand) -> Result<(), Failure> {
    match command {
        KeyringCommand::List { target } => {
            let listed = list(&mut Client::new(target.channel()?)).await?;
            say(format_args!("keyring {} from {}", listed.keyring_id, listed.source))?;
            for version in &listed.versions {
                let (number, state) = (version.version, &version.state);
                let (fingerprint, keys) = (&version.fingerprint, version.account_keys);
                say(format_args!("{number:>4}  {state:<7}  {fingerprint}  wraps {keys} keys"))?;
            }
            match left(&listed) {
                0 => Ok(()),
                left => Ok(say(format_args!("{left} keys are still to move"))?),
            }
        }
        KeyringCommand::Rotate { prepare_only, wait, target } => {
            rotate(&mut Client::new(target.channel()?), prepare_only, wait).await
        }
        KeyringCommand::Retire { version, target } => {
            let request = RetireKeyringVersionRequest { version, ..Default::default() };
            let retired = Client::new(target.channel()?).retire_keyring_version(request).await;
            let sequence = retired.map_err(|status| told(&status))?.into_inner().sequence;
            say(format_args!("version {version} is forgotten, as record {sequence} tells"))?;
            Ok(())
        }
        KeyringCommand::Reload { target } => {
            let mut client = Client::new(target.channel()?);
            let reloaded = client.reload_keyring(ReloadKeyringRequest {}).await;
            let version = reloaded.map_err(|status| told(&status))?.into_inner().version;
            say(format_args!("version {version} is active"))?;
            Ok(())
        }
        KeyringCommand::New => {
            print(&Keyring::generate(&SystemRandom::new()).map_err(|error| error.to_string())?)
        }
        KeyringCommand::Advance => advance(),
        KeyringCommand::Call(words) => {
            call::run(std::iter::once(OsString::from("keyring")).chain(words).collect()).await
        }
    }
}

async fn list(client: &mut Client) -> Result<ListKeyringResponse, Failure> {
    let listed = client.list_keyring(ListKeyringRequest::default()).await;
    Ok(listed.map_err(|status| told(&status))?.into_inner())
}

/// Keys that the active version does not wrap yet.
fn left(listed: &ListKeyringResponse) -> u64 {
    let others = listed.versions.iter().filter(|version| version.state != "active");
    others.map(|version| version.account_keys).sum()
}

async fn rotate(client: &mut Client, prepare_only: bool, wait: bool) -> Result<(), Failure> {
    let request = RotateKeyringRequest { prepare_only, ..Default::default() };
    let rotated = client.rotate_keyring(request).await.map_err(|status| told(&status))?;
    let version = rotated.into_inner().version;
    let state = if prepare_only { "next" } else { "active" };
    say(format_args!("version {version} is {state}"))?;
    if !wait || prepare_only {
        return Ok(());
    }
    loop {
        match left(&list(client).await?) {
            0 => {
                say("every key has moved")?;
                return Ok(());
            }
            left => say(format_args!("{left} keys are still to move"))?,
        }
        tokio::time::sleep(PROGRESS_INTERVAL).await;
    }
}

fn advance() -> Result<(), Failure> {
    let mut json = Zeroizing::new(String::new());
    std::io::stdin().take(KEYRING_BYTES_MAX + 1).read_to_string(&mut json)?;
    let mut keyring = Keyring::from_json(&json)?;
    if keyring.versions().iter().all(|key| key.state != KeyState::Next) {
        keyring.prepare_next(&SystemRandom::new())?;
    }
    keyring.activate_next()?;
    print(&keyring)
}

/// The one place that shows a keyring, on request.
fn print(keyring: &Keyring) -> Result<(), Failure> {
    Ok(say(keyring.to_json().as_str())?)
}
