//! The part of EC2 that instance profiles need. Source: Amazon EC2 API Reference.

mod associations;
mod filter;
mod instances;
mod metadata;
mod shown;

use super::call::operations;

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
