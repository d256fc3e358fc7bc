//! A request from its beginning to its answer: measured, traced, and told in the access log.

use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;

use super::{Access, access_log, continue_trace, trace_id_of};
use crate::identity::{AccountId, Principal};
use crate::metrics::{self, Operation, Outcome};

/// See the module. It is told as given up if it is dropped before its answer.
pub struct UnderWay {
    /// What is asked for, as far as it is known.
    pub operation: &'static Operation,
    /// The request's id, as the caller is told.
    pub request_id: Arc<str>,
    /// Its span, with the fields `enduser.id` and `code`.
    pub span: tracing::Span,
    /// The trace that it belongs to; empty for none.
    pub trace_id: Arc<str>,
    /// The caller's account, once they are recognized.
    pub account: Option<AccountId>,
    /// The caller, once they are recognized.
    principal: Option<Principal>,
    began: Instant,
    /// The code of a request whose caller went away, or that took longer than it may.
    given_up: &'static str,
    ended: bool,
}

impl UnderWay {
    /// A request that begins now, in the trace that its headers tell of.
    #[must_use]
    pub fn begin(
        operation: &'static Operation,
        request_id: Arc<str>,
        span: tracing::Span,
        headers: &HeaderMap,
        given_up: &'static str,
    ) -> Self {
        let began = Instant::now();
        continue_trace(&span, headers);
        let trace_id = trace_id_of(&span, headers).unwrap_or_default();
        Self {
            operation,
            request_id,
            span,
            trace_id: Arc::from(trace_id),
            account: None,
            principal: None,
            began,
            given_up,
            ended: false,
        }
    }

    /// Takes note of who the caller is.
    pub fn recognized(&mut self, principal: &Principal) {
        if !self.span.is_disabled() {
            self.span.record("enduser.id", &*principal.arn());
        }
        self.principal = Some(principal.clone());
    }

    /// Tells what became of it: an error's code, or none if it was done.
    pub fn tell(&mut self, code: Option<&str>) -> Outcome {
        self.ended = true;
        let took = self.began.elapsed();
        let outcome = self.operation.answered(code, took);
        if let Some(account) = self.account {
            metrics::accounts().request(account, outcome);
        }
        if let Some(code) = code {
            self.span.record("code", code);
        }
        let access = Access {
            operation: self.operation,
            request_id: &self.request_id,
            principal: self.principal.as_ref(),
            code,
            outcome,
            took,
            trace_id: &self.trace_id,
        };
        access_log().write(&access);
        outcome
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if !self.ended {
            self.tell(Some(self.given_up));
        }
    }
}
