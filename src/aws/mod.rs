//! The AWS edge: STS, IAM and a part of EC2 as unmodified AWS clients speak to them, by the Query protocol over
//! HTTP. Requests are forms (or queries) signed with SigV4; answers are XML, or JSON where STS is asked for it.
//!
//! The way of a request: `server` bounds and reads it, `edge` authenticates it and finds the service, the
//! service's table (`operations!`) finds the function, `request!` reads and validates its parameters, and
//! what the function returns is written by the one serializer. What goes wrong is a `Fault`, whose table
//! holds the codes and statuses.
//!
//! To add an operation:
//!
//! 1. Its parameters, with the names and rules of the service model:
//!
//!    ```text
//!    request! {
//!        /// Source: IAM API Reference, GetRole.
//!        GetRole {
//!            role_name: RoleName = "RoleName",
//!            path_prefix: Option<String> = "PathPrefix" [Length(1, 512)],
//!            tags: Vec<Tag> = "Tags" [Items(0, 50)],
//!        }
//!    }
//!    ```
//!
//!    `T` is required, `Option<T>` is not, `Vec<T>` is a list. Newtypes of `identity` bring their own rules;
//!    `shape::parsed!` admits another one. A struct of another `request!` nests; `words!` makes enums; `Secret`
//!    is for what must not be repeated in an error. What of the model is not read stands in `unread`.
//! 2. Its result: a struct with `#[derive(Serialize)]` and `#[serde(rename_all = "PascalCase")]` (camelCase in
//!    EC2), `Option` for what may be absent, `xml::Time` for times; `()` where the model has no result.
//! 3. `pub(super) async fn get_role(call: &Call<'_>, request: GetRole) -> Result<GetRoleResult, Fault>`. It
//!    renames what comes in, calls the use case of `service` that gRPC calls too, and renames what goes out.
//! 4. A line `GetRole => roles::get_role;` in the service's `operations!`.
//! 5. A call in `tests/clients/`, which fails for an operation that is answered and not tried, for a parameter of
//!    the model that is neither read nor in `unread`, and for a field of an answer that is never there.
//! 6. What its parameters refer to, in `tests/support/api/references.rs`, which fails for a parameter that it does not
//!    know; and its call of gRPC, in `tests/edges/pairs.rs`.

mod api;
mod call;
mod ec2;
mod edge;
mod fault;
mod form;
mod iam;
mod mistakes;
mod page;
mod server;
mod shape;
mod sts;
mod tls;
mod unread;
mod xml;

pub use api::{Operation, operations};
pub use server::{CONNECTIONS_MAX, serve};
pub use shape::Parameter;
pub use tls::{Tls, TlsError};
pub use unread::{Treatment, UNREAD, Unread};
