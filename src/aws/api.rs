//! The services of this edge, and how each of them speaks.

use serde::Serialize;

use super::call::{Answer, Call};
use super::fault::Fault;
use super::shape::Parameter;
use super::{ec2, iam, sts};

/// An operation as it stands in its service's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Operation {
    /// The service that a signature is scoped to: `sts`, `iam` or `ec2`.
    pub service: &'static str,
    /// The version of the service's API.
    pub version: &'static str,
    /// `Action`.
    pub name: &'static str,
    /// The parameters that are read.
    pub parameters: &'static [Parameter],
}

/// Every operation of this edge.
#[must_use]
pub fn operations() -> Vec<Operation> {
    let tables = [
        (Api::Sts, sts::operations()),
        (Api::Iam, iam::operations()),
        (Api::Ec2, ec2::operations()),
    ];
    let listed = tables.into_iter().flat_map(|(api, table)| {
        let (service, version) = (api.scope(), api.version());
        table.into_iter().map(move |(name, parameters)| Operation {
            service,
            version,
            name,
            parameters,
        })
    });
    listed.collect()
}

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    /// Security Token Service, 2011-06-15.
    Sts,
    /// Identity and Access Management, 2010-05-08.
    Iam,
    /// Elastic Compute Cloud, 2016-11-15.
    Ec2,
}

impl Api {
    /// The service that a signature is scoped to.
    pub(super) fn of_scope(service: &str) -> Option<Self> {
        [Self::Sts, Self::Iam, Self::Ec2].into_iter().find(|api| api.scope() == service)
    }

    /// The service in a signature's scope.
    pub(super) fn scope(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::Iam => "iam",
            Self::Ec2 => "ec2",
        }
    }

    /// The version of the API.
    pub(super) fn version(self) -> &'static str {
        match self {
            Self::Sts => "2011-06-15",
            Self::Iam => "2010-05-08",
            Self::Ec2 => "2016-11-15",
        }
    }

    /// The XML namespace of answers.
    pub(super) fn namespace(self) -> &'static str {
        match self {
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
            Self::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
            Self::Ec2 => "http://ec2.amazonaws.com/doc/2016-11-15/",
        }
    }

    /// The name of a list's elements in answers.
    pub(super) fn item(self) -> &'static str {
        if self == Self::Ec2 { "item" } else { "member" }
    }

    /// The operations of every service.
    pub(super) fn operations() -> [(&'static str, &'static [&'static str]); 3] {
        [
            (Self::Sts.scope(), sts::ACTIONS),
            (Self::Iam.scope(), iam::ACTIONS),
            (Self::Ec2.scope(), ec2::ACTIONS),
        ]
    }

    /// Does what the call asks.
    pub(super) async fn answer(self, call: &Call<'_>) -> Result<Answer, Fault> {
        match self {
            Self::Sts => sts::answer(call).await,
            Self::Iam => iam::answer(call).await,
            Self::Ec2 => ec2::answer(call).await,
        }
    }
}
