//! Credentials for containers and pods, as ECS and EKS Pod Identity hand them out: an SDK with
//! `AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/v1/credentials` and
//! `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE` sends the file's content as `Authorization`
//! (SDKs and Tools Reference Guide, feature-container-credentials).
//!
//! A workload is registered as an instance of its own, with a profile that gives it its role. Its token names
//! that instance and works for no other, wherever it comes from: pods have addresses that nobody registers. The
//! agent writes each workload's token to a file that only that workload gets to see, and writes it anew long
//! before it ends; SDKs read the file for each request.

use std::collections::{HashMap, HashSet};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use super::edge::{Edge, Head, Reply};
use super::prepared::Answer;
use super::token::{Audience, TokenKey};
use super::{Found, InstanceSource};
use crate::clock::Clock;
use crate::proto::v1::MetadataUse;

/// How long a token of a file works: the file outlives so long an outage of what writes it.
const TOKEN_LIFE: Duration = Duration::from_secs(12 * 3600);
/// How often tokens are written anew.
const WRITE_EVERY: Duration = Duration::from_secs(3600);
/// How often new instances are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Characters of an instance's id, with room.
const ID_CHARS_MAX: usize = 32;

/// Whether a path is one of the container forms: that of EKS, or that of ECS with anything behind it, which the
/// token makes needless.
pub(super) fn is_path(path: &str) -> bool {
    path == "/v1/credentials" || path.starts_with("/v2/credentials")
}

impl Edge {
    pub(super) fn container(&self, method: &Method, head: &Head<'_>) -> Reply {
        if *method != Method::GET {
            let mut reply = refuse(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed");
            reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
            return reply;
        }
        let now = self.clock.now();
        let claimed = head.authorization.and_then(|value| value.to_str().ok());
        let claimed = claimed.and_then(|text| text.split_once('.'));
        let Some((id, token)) = claimed.filter(|(id, _)| id.len() <= ID_CHARS_MAX) else {
            return refuse(StatusCode::UNAUTHORIZED, "MissingAuthorization");
        };
        let found = self.source.by_id(id);
        // Of a server that was just started, whose tokens are not written anew yet.
        if matches!(found, Found::NotReady) {
            return refuse(StatusCode::SERVICE_UNAVAILABLE, "NotReady");
        }
        if !self.key.is_valid(Audience::Container, token.as_bytes(), id, now) {
            return refuse(StatusCode::UNAUTHORIZED, "InvalidAuthorization");
        }
        let Found::Instance(instance) = found else {
            return refuse(StatusCode::NOT_FOUND, "NoSuchWorkload");
        };
        if head.forwarded {
            self.count(&instance, MetadataUse::Forwarded);
            return refuse(StatusCode::FORBIDDEN, "Forwarded");
        }
        if instance.options().http_endpoint_disabled {
            return refuse(StatusCode::FORBIDDEN, "Disabled");
        }
        self.count(&instance, MetadataUse::Version2);
        match instance.container(now) {
            Answer::Body(body) => json_reply(body),
            Answer::Missing => refuse(StatusCode::NOT_FOUND, "NoRole"),
            Answer::Unavailable => refuse(StatusCode::SERVICE_UNAVAILABLE, "NoCredentials"),
        }
    }
}

fn json_reply(body: Bytes) -> Reply {
    let mut reply = Response::new(Full::new(body));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

/// SDKs show `code` and `message`.
pub(super) fn refuse(status: StatusCode, code: &str) -> Reply {
    let message = status.canonical_reason().unwrap_or_default();
    let body = json!({"code": code, "message": message}).to_string();
    let mut reply = json_reply(Bytes::from(body));
    *reply.status_mut() = status;
    if status == StatusCode::SERVICE_UNAVAILABLE {
        reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(1));
    }
    reply
}

/// Where tokens of containers are written: `FOLDER/INSTANCE/token`. The folder is its owner's alone; each
/// workload is given its own folder inside it, and so sees one token, by whatever user it runs as.
pub struct TokenFiles {
    /// The folder.
    pub folder: PathBuf,
    /// The key of the server that checks the tokens.
    pub key: Arc<TokenKey>,
    /// Its clock.
    pub clock: Clock,
}

/// Writes tokens for every instance that `source` knows, for ever.
///
/// # Errors
/// The folder cannot be made, or is there and is not the agent's alone.
pub async fn token_files(
    files: TokenFiles,
    source: Arc<dyn InstanceSource>,
) -> std::io::Result<std::convert::Infallible> {
    make_private(&files.folder)?;
    let mut written = HashMap::<String, tokio::time::Instant>::new();
    loop {
        let instances = source.all();
        let now = tokio::time::Instant::now();
        for instance in &instances {
            let id = instance.id();
            if written.get(id).is_some_and(|at| now.duration_since(*at) < WRITE_EVERY) {
                continue;
            }
            match files.write(id) {
                Ok(()) => {
                    written.insert(id.to_owned(), now);
                }
                Err(error) => tracing::warn!(instance = id, %error, "no token was written"),
            }
        }
        let known: HashSet<_> = instances.iter().map(|instance| instance.id()).collect();
        written.retain(|id, _| {
            let known = known.contains(id.as_str());
            if !known {
                files.remove(id);
            }
            known
        });
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn make_folder(folder: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    match std::fs::DirBuilder::new().mode(mode).create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Makes the folder that is its owner's alone. One that is there is closed to others, if it is the agent's and nobody
/// else could have put anything into it.
fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    make_folder(folder, 0o700)?;
    let found = std::fs::metadata(folder)?;
    if !found.is_dir() {
        return Err(Error::new(ErrorKind::NotADirectory, "it is no folder"));
    }
    let (owner, own) = (found.uid(), nix::unistd::geteuid().as_raw());
    if owner != own {
        let rule = format!("it belongs to the user {owner}; it has to be of the agent's, {own}");
        return Err(Error::new(ErrorKind::PermissionDenied, rule));
    }
    let mode = found.mode() & 0o777;
    if mode & 0o022 != 0 {
        let rule = format!("others may write to it: its mode is {mode:o} and has to be 700");
        return Err(Error::new(ErrorKind::PermissionDenied, rule));
    }
    if mode & 0o077 != 0 {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

impl TokenFiles {
    /// Written beside and renamed, so that a reader finds it whole. The folder stays the same one, as mounts
    /// of it show what is renamed inside it.
    fn write(&self, id: &str) -> std::io::Result<()> {
        let folder = self.folder.join(id);
        make_folder(&folder, 0o755)?;
        let end = self.clock.now().plus(TOKEN_LIFE);
        let token = self.key.issue(Audience::Container, id, end);
        let token = token.map_err(|_| Error::other("no random bytes"))?;
        let partial = folder.join("token.partial");
        std::fs::write(&partial, format!("{id}.{token}"))?;
        std::fs::rename(&partial, folder.join("token"))
    }

    fn remove(&self, id: &str) {
        let folder = self.folder.join(id);
        let removed =
            std::fs::remove_file(folder.join("token")).and_then(|()| std::fs::remove_dir(&folder));
        if let Err(error) = removed {
            tracing::warn!(instance = id, %error, "the token of an instance that ended stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};

    use super::*;

    /// Protects workloads from others on the host: the folder of all tokens is closed to everyone else, and one that
    /// another could have put something into, or that is another's, is not used.
    #[test]
    fn the_folder_of_tokens_is_the_agents_alone() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("tokens");
        let mode = || fs::metadata(&folder).unwrap().mode() & 0o777;
        let set = |mode| fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
        make_private(&folder).unwrap();
        assert_eq!(mode(), 0o700);
        set(0o755);
        make_private(&folder).unwrap();
        assert_eq!(mode(), 0o700);
        for open in [0o770, 0o702] {
            set(open);
            let refused = make_private(&folder).unwrap_err();
            assert_eq!((refused.kind(), mode()), (ErrorKind::PermissionDenied, open));
        }
        set(0o700);
        if nix::unistd::geteuid().is_root() {
            chown(&folder, Some(65_534), None).unwrap();
            assert_eq!(make_private(&folder).unwrap_err().kind(), ErrorKind::PermissionDenied);
        }
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(make_private(&file).unwrap_err().kind(), ErrorKind::NotADirectory);
    }
}
