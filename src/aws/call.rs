//! One call: what an operation is handed, and `operations!`, which leads from the name of an action to the
//! function that does it and back to an answer.

use serde::Serialize;
use serde_json::json;

use super::api::Api;
use super::fault::Fault;
use super::form::Node;
use super::mistakes::{At, Mistakes};
use super::shape::{Parameter, Shape};
use super::unread::refused_parameter;
use super::xml;
use crate::service::{RequestInfo, Service};

/// A request, authenticated and with its parameters read.
pub(super) struct Call<'a> {
    /// The service behind all edges.
    pub(super) service: &'a Service,
    /// Who asks, and the request's id.
    pub(super) info: &'a RequestInfo,
    /// The name of the operation.
    pub(super) action: &'a str,
    pub(super) api: Api,
    pub(super) parameters: &'a Node,
    /// Whether the caller asks for JSON, which STS alone speaks.
    pub(super) as_json: bool,
}

/// A body with its content type.
pub(super) struct Answer {
    pub(super) body: String,
    pub(super) content_type: &'static str,
}

impl Call<'_> {
    /// The parameters as the operation takes them.
    pub(super) fn request<Q: Shape>(&self) -> Result<Q, Fault> {
        let refused = refused_parameter(self.api, self.action, self.parameters, Q::PARTS);
        if let Some(name) = refused {
            return Err(Fault::parameter(self.api, &name));
        }
        let mut mistakes = Mistakes::default();
        let read = Q::read(Some(self.parameters), At::ROOT, &[], &mut mistakes);
        read.ok_or_else(|| Fault::mistakes(self.api, &mistakes))
    }

    /// The result of an operation as its caller reads it; `()` has none.
    pub(super) fn answer<A: Serialize>(&self, result: &A) -> Result<Answer, Fault> {
        let (action, id) = (self.action, self.info.request_id.as_ref());
        if self.as_json {
            let inner = json!({
                (format!("{action}Result")): result,
                "ResponseMetadata": { "RequestId": id },
            });
            let body = json!({ (format!("{action}Response")): inner }).to_string();
            return Ok(Answer { body, content_type: "application/json" });
        }
        let mut inner = String::with_capacity(1024);
        let written = xml::write(result, self.api.item(), &mut inner);
        written.map_err(|error| Fault::internal(&error))?;
        let namespace = self.api.namespace();
        let has_result = std::mem::size_of::<A>() > 0;
        let body = match self.api {
            Api::Ec2 => format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{action}Response xmlns=\"{namespace}\">\
                 <requestId>{id}</requestId>{inner}</{action}Response>"
            ),
            Api::Sts | Api::Iam => {
                let result = if has_result {
                    format!("<{action}Result>{inner}</{action}Result>")
                } else {
                    String::new()
                };
                format!(
                    "<{action}Response xmlns=\"{namespace}\">{result}\
                     <ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{action}Response>"
                )
            }
        };
        let content_type = if self.api == Api::Ec2 { "text/xml;charset=UTF-8" } else { "text/xml" };
        Ok(Answer { body, content_type })
    }

    /// There is no such operation.
    pub(super) fn unknown_action(&self) -> Fault {
        Fault::action(self.api, self.action, self.api.version())
    }
}

/// The parameters that an operation's function takes.
pub(super) fn parameters_of<'a, Q: Shape, R>(
    _: impl Fn(&'a Call<'a>, Q) -> R,
) -> &'static [Parameter] {
    Q::PARTS
}

/// The operations of a service: `answer` leads from the action's name to the function, whose argument tells
/// how the parameters are read and whose result how the answer is written.
macro_rules! operations {
    ($($action:ident => $function:path;)*) => {
        /// The names of all operations.
        pub(super) const ACTIONS: &[&str] = &[$(stringify!($action)),*];

        /// Does what the call asks.
        pub(super) async fn answer(
            call: &$crate::aws::call::Call<'_>,
        ) -> Result<$crate::aws::call::Answer, $crate::aws::fault::Fault> {
            match call.action {
                $(stringify!($action) => {
                    let request = call.request()?;
                    // Boxed, so that no call is as large as the largest operation.
                    let result = Box::pin($function(call, request)).await?;
                    call.answer(&result)
                })*
                _ => Err(call.unknown_action()),
            }
        }

        /// The names of the operations, each with its parameters.
        pub(super) fn operations()
        -> Vec<(&'static str, &'static [$crate::aws::shape::Parameter])> {
            vec![$((stringify!($action), $crate::aws::call::parameters_of($function))),*]
        }
    };
}

pub(super) use operations;
