//! The part of EC2 that instance profiles need. Source: Amazon EC2 API Reference.

mod associations;
mod filter;
mod instances;
mod metadata;
mod shown;

use super::call::{Call, operations};
use super::fault::Fault;
use crate::domain::command::Action;
use crate::ledger::Receipt;

operations! {
    AssociateIamInstanceProfile => associations::associate;
    DescribeIamInstanceProfileAssociations => associations::describe;
    DescribeInstances => instances::describe;
    DisassociateIamInstanceProfile => associations::disassociate;
    ModifyInstanceMetadataOptions => metadata::modify;
    ReplaceIamInstanceProfileAssociation => associations::replace;
    RunInstances => instances::run;
    TerminateInstances => instances::terminate;
}

/// Does `action`, or with DryRun tells whether it would be done.
async fn perform(
    call: &Call<'_>,
    dry_run: Option<bool>,
    token: &str,
    action: Action,
) -> Result<Receipt, Fault> {
    if dry_run == Some(true) {
        call.service.rehearse(call.info, call.account_id()?, action)?;
        return Err(Fault::dry_run());
    }
    call.perform(token, action).await
}

/// A read with DryRun ends here, after what may be read was judged.
fn end_dry_run(dry_run: Option<bool>) -> Result<(), Fault> {
    if dry_run == Some(true) { Err(Fault::dry_run()) } else { Ok(()) }
}
