//! The closed lists that label values come from.

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$told:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$told])* $variant,)*
        }

        impl $name {
            /// All there are, in order.
            pub const ALL: [Self; [$($text),*].len()] = [$(Self::$variant),*];

            /// As it is told in a label.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

labels! {
    /// Where a request came in.
    Edge {
        /// gRPC.
        Grpc = "grpc",
        /// The AWS Query protocol.
        Aws = "aws",
        /// Instance metadata.
        Metadata = "metadata",
    }
}

labels! {
    /// What a request came to, by what can be done about it.
    Outcome {
        /// It was done.
        Ok = "ok",
        /// The caller may not, or is not who they say.
        Denied = "denied",
        /// The request is wrong, or does not go with what is there.
        Invalid = "invalid",
        /// Too much is asked at once.
        Throttled = "throttled",
        /// The service failed.
        Failed = "failed",
    }
}

labels! {
    /// Why somebody was refused: which kind of policy denied or lacked an allow, or what is wrong with who
    /// they say they are.
    Denial {
        /// An identity policy.
        IdentityPolicy = "identity_policy",
        /// The trust policy of a role.
        TrustPolicy = "trust_policy",
        /// The policy of another resource.
        ResourcePolicy = "resource_policy",
        /// A permissions boundary.
        Boundary = "boundary",
        /// A session policy.
        SessionPolicy = "session_policy",
        /// A service control policy.
        ServiceControl = "service_control_policy",
        /// A resource control policy.
        ResourceControl = "resource_control_policy",
        /// The policy of an endpoint.
        EndpointPolicy = "endpoint_policy",
        /// A rule that is no policy's.
        Rule = "rule",
        /// The key is unknown or off, or the token is not its.
        UnknownKey = "unknown_key",
        /// The signature is missing, incomplete or wrong.
        Signature = "signature",
        /// The session has ended.
        Expired = "expired",
        /// The session was revoked, or one before it in its chain.
        Revoked = "revoked",
        /// The account is disabled.
        AccountDisabled = "account_disabled",
        /// A one-time code is wrong or was used.
        Mfa = "mfa",
        /// The token of an identity provider is not taken.
        WebIdentity = "web_identity",
    }
}

labels! {
    /// What a command came to in the writer.
    Commanded {
        /// A fact.
        Recorded = "recorded",
        /// Nothing that was not so before, or the answer to a retry.
        WithoutEffect = "without_effect",
        /// A refusal.
        Rejected = "rejected",
        /// The queue was full.
        Overloaded = "overloaded",
    }
}

labels! {
    /// What a rotation came to.
    Rotated {
        /// New credentials.
        Renewed = "renewed",
        /// The role may not be used any more; told to the instance.
        Refused = "refused",
        /// Nothing yet; it is tried again.
        Failed = "failed",
    }
}

labels! {
    /// Whether something was remembered.
    Lookup {
        /// It was.
        Hit = "hit",
        /// It had to be derived.
        Miss = "miss",
    }
}

labels! {
    /// What a stream tells.
    StreamKind {
        /// Instances and their credentials, to agents.
        Instances = "instances",
        /// Events of an account.
        Events = "events",
        /// What grants became void.
        Invalidations = "invalidations",
    }
}
