//! `locum policy explain` and `locum policy who-can`: what the server answers, made readable.

use std::collections::HashMap;

use crate::cli::call::{Target, told};
use crate::cli::{Failure, say};
use crate::proto::v1::policy_service_client::PolicyServiceClient;
use crate::proto::v1::{
    AssumeRoleStep, ContextValues, ExplainAssumeRoleRequest, PolicyTrace,
    SimulatePrincipalPolicyRequest, SimulationResult, StatementTrace, Verdict, WhoCanRequest,
};

/// What to explain.
#[derive(clap::Args)]
pub(in crate::cli) struct ExplainArgs {
    /// The user or role; for a chain, the caller if not given.
    #[arg(long)]
    principal: Option<String>,
    /// `service:Action`
    #[arg(long, required_unless_present = "assume")]
    action: Option<String>,
    /// The resource's ARN.
    #[arg(long, default_value = "*")]
    resource: String,
    /// KEY=VALUE, a condition key; several times for several keys or values.
    #[arg(long)]
    context: Vec<String>,
    /// A role to assume; several times for a chain.
    #[arg(long, conflicts_with = "action")]
    assume: Vec<String>,
    /// The external id for the roles of a chain.
    #[arg(long, requires = "assume")]
    external_id: Option<String>,
    #[command(flatten)]
    target: Target,
}

/// Whom to look for.
#[derive(clap::Args)]
pub(in crate::cli) struct WhoCanArgs {
    /// `service:Action`
    action: String,
    /// The resource's ARN, or `*`.
    resource: String,
    /// KEY=VALUE, a condition key; several times for several keys or values.
    #[arg(long)]
    context: Vec<String>,
    /// Lists too who may under conditions that are not met here.
    #[arg(long)]
    conditional: bool,
    #[command(flatten)]
    target: Target,
}

pub(super) async fn explain(args: ExplainArgs) -> Result<(), Failure> {
    let mut client = PolicyServiceClient::new(args.target.channel()?);
    let Some(action) = args.action else {
        let request = ExplainAssumeRoleRequest {
            role_arns: args.assume,
            principal_arn: args.principal.unwrap_or_default(),
            external_id: args.external_id.unwrap_or_default(),
            ..ExplainAssumeRoleRequest::default()
        };
        let answer = client.explain_assume_role(request).await.map_err(|status| told(&status))?;
        let answer = answer.into_inner();
        answer.steps.iter().try_for_each(step)?;
        let verdict = if answer.possible { "possible" } else { "not possible" };
        say(format_args!("the chain is {verdict}"))?;
        return Ok(());
    };
    let request = SimulatePrincipalPolicyRequest {
        principal_arn: args.principal.ok_or("--principal is needed with --action")?,
        actions: vec![action],
        resources: vec![args.resource],
        context: context(&args.context)?,
        ..SimulatePrincipalPolicyRequest::default()
    };
    let answer = client.simulate_principal_policy(request).await.map_err(|status| told(&status))?;
    answer.into_inner().results.iter().try_for_each(|shown| result(shown, ""))
}

pub(super) async fn who_can(args: WhoCanArgs) -> Result<(), Failure> {
    let mut client = PolicyServiceClient::new(args.target.channel()?);
    let request = WhoCanRequest {
        action: args.action,
        resource: args.resource,
        resource_policy: String::new(),
        context: context(&args.context)?,
        include_conditional: args.conditional,
    };
    let answer = client.who_can(request).await.map_err(|status| told(&status))?.into_inner();
    for holder in &answer.holders {
        let through = holder.through.join(", ");
        let conditional = match (holder.kind.as_str(), holder.conditional) {
            ("trusted", _) => "  if its own account lets it",
            (_, true) => "  under conditions",
            (_, false) => "",
        };
        let through = if through.is_empty() { String::new() } else { format!("  by {through}") };
        say(format_args!("{:<8} {}{through}{conditional}", holder.kind, holder.principal))?;
    }
    if answer.holders.is_empty() {
        say("nobody")?;
    }
    Ok(())
}

fn context(pairs: &[String]) -> Result<HashMap<String, ContextValues>, Failure> {
    let mut context = HashMap::<String, ContextValues>::new();
    for pair in pairs {
        let (key, value) = pair.split_once('=').ok_or("--context is KEY=VALUE")?;
        context.entry(key.to_owned()).or_default().values.push(value.to_owned());
    }
    Ok(context)
}

fn verdict_text(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "allowed",
        Verdict::ExplicitDeny => "denied",
        Verdict::ImplicitDeny | Verdict::Unspecified => "not allowed",
    }
}

fn step(step: &AssumeRoleStep) -> Result<(), Failure> {
    say(format_args!("{} -> {}", step.principal_arn, step.role_arn))?;
    let (caller, role) = (step.caller_side(), step.role_side());
    say(format_args!(
        "  caller's side: {}  role's side: {}",
        verdict_text(caller),
        verdict_text(role)
    ))?;
    if !step.possible {
        say(format_args!("  not possible: {}", step.message))?;
    }
    if let Some(longest) = &step.longest_session {
        say(format_args!("  longest session: {} s", longest.seconds))?;
    }
    for tag in &step.tags {
        let transitive = step.transitive_tag_keys.contains(&tag.key);
        let inherited = if transitive { " (inherited by the next)" } else { "" };
        say(format_args!("  tag {}={}{inherited}", tag.key, tag.value))?;
    }
    if !step.source_identity.is_empty() {
        say(format_args!("  source identity: {}", step.source_identity))?;
    }
    step.judged.iter().try_for_each(|judged| result(judged, "  "))
}

fn result(result: &SimulationResult, indent: &str) -> Result<(), Failure> {
    let verdict = verdict_text(result.verdict());
    let (action, resource, by) = (&result.action, &result.resource, &result.decided_by);
    say(format_args!("{indent}{action} on {resource}: {verdict}, decided by the {by}"))?;
    for policy in &result.policies {
        show_policy(policy, indent)?;
    }
    if !result.missing_context_keys.is_empty() {
        let keys = result.missing_context_keys.join(", ");
        say(format_args!("{indent}  asked for and not in the request: {keys}"))?;
    }
    Ok(())
}

fn show_policy(policy: &PolicyTrace, indent: &str) -> Result<(), Failure> {
    let level = if policy.level.is_empty() { "" } else { " of the " };
    say(format_args!("{indent}  {} `{}`{level}{}", policy.kind, policy.policy, policy.level))?;
    for statement in &policy.statements {
        let effect = if statement.denies { "Deny" } else { "Allow" };
        let name = match statement.sid.as_str() {
            "" => format!("#{}", statement.index),
            sid => format!("#{} {sid}", statement.index),
        };
        say(format_args!("{indent}    {effect:<5} {name}: {}", reason(statement)))?;
    }
    Ok(())
}

fn reason(statement: &StatementTrace) -> String {
    match statement.failed_on.as_str() {
        "" => "matches".to_owned(),
        "condition" if statement.given.is_empty() => {
            format!("{} on {}, which the request does not have", statement.operator, statement.key)
        }
        "condition" => format!(
            "{} on {}, which is {}",
            statement.operator,
            statement.key,
            statement.given.join(", ")
        ),
        element => format!("another {element}"),
    }
}
