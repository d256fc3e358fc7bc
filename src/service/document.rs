//! Instance-identity documents: what an instance is, signed by the installation (EC2 User Guide,
//! instance-identity-documents).

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Service, ServiceError};
use crate::domain::command::{Action, InstallationAction};
use crate::domain::event::DocumentKey;
use crate::domain::state::{Account, Instance};
use crate::identity::AccountId;
use crate::signing::{DocumentKeyError, DocumentSignature, DocumentSigner, SealedDocumentKey, pem};

impl Service {
    /// Draws the key of identity documents if there is none.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn ensure_document_key(&self) -> Result<(), ServiceError> {
        let view = self.view();
        let Some(operator) = view.state.account(AccountId::OPERATOR) else { return Ok(()) };
        if view.state.document_key().is_some() {
            return Ok(());
        }
        let account_key = self.account_key(operator.id, &operator.key)?;
        let drawn = SealedDocumentKey::generate(&account_key, &self.random)?;
        let key = DocumentKey {
            sealed: Arc::from(drawn.sealed),
            serial: Arc::from(drawn.serial),
            certificate: Arc::from(drawn.certificate),
        };
        let info = self.own_request("document-key");
        let action = Action::Installation(InstallationAction::CreateDocumentKey { key });
        self.perform(&info, "", AccountId::OPERATOR, action).await?;
        Ok(())
    }

    /// The certificate by which identity documents are verified, in PEM; none before there is a key.
    #[must_use]
    pub fn document_certificate(&self) -> Option<String> {
        let view = self.view();
        Some(pem("CERTIFICATE", &view.state.document_key()?.certificate))
    }

    /// Signs an identity document.
    ///
    /// # Errors
    /// There is no key, or the keyring does not open it.
    pub fn sign_document(&self, document: &str) -> Result<DocumentSignature, ServiceError> {
        if let Some(signer) = self.document_signer.get() {
            return Ok(signer.sign(document)?);
        }
        let view = self.view();
        let operator = view.state.account(AccountId::OPERATOR);
        let (Some(key), Some(operator)) = (view.state.document_key(), operator) else {
            return Err(ServiceError::Document(DocumentKeyError::Key));
        };
        let account_key = self.account_key(operator.id, &operator.key)?;
        let signer = DocumentSigner::open(&account_key, &key.sealed, &key.serial)?;
        Ok(self.document_signer.get_or_init(|| signer).sign(document)?)
    }
}

/// The document of an instance, in the fields and the form of EC2's.
#[must_use]
pub fn identity_document(account: &Account, instance: &Instance) -> String {
    let facts = &instance.facts;
    let known = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
    let document = json!({
        "accountId": account.id.to_string(),
        "architecture": architecture(&facts.instance_type),
        "availabilityZone": &*facts.zone,
        "billingProducts": null,
        "devpayProductCodes": null,
        "marketplaceProductCodes": null,
        "imageId": known(&facts.image_id),
        "instanceId": instance.id.as_str(),
        "instanceType": known(&facts.instance_type),
        "kernelId": null,
        "pendingTime": instance.launched_at.iso8601(),
        "privateIp": instance.private_ip.map(|address| address.to_string()),
        "ramdiskId": null,
        "region": &*facts.region,
        "version": "2017-09-30",
    });
    format!("{document:#}")
}

/// By the type's name, as Amazon EC2 gives them: a `g` after the generation stands for Graviton. Nothing is
/// said of an instance without a type.
fn architecture(instance_type: &str) -> Option<&'static str> {
    let family = instance_type.split('.').next().filter(|family| !family.is_empty())?;
    let after = family.trim_start_matches(|c: char| !c.is_ascii_digit());
    let options = after.trim_start_matches(|c: char| c.is_ascii_digit());
    let first_generation = family == "a1";
    Some(if options.starts_with('g') || first_generation { "arm64" } else { "x86_64" })
}

#[cfg(test)]
mod tests {
    use super::architecture;

    /// Protects installers that choose by it.
    #[test]
    fn types_tell_their_architecture() {
        for (instance_type, expected) in [
            ("m5.large", Some("x86_64")),
            ("g4dn.xlarge", Some("x86_64")),
            ("t4g.small", Some("arm64")),
            ("c7gn.large", Some("arm64")),
            ("a1.medium", Some("arm64")),
            ("", None),
        ] {
            assert_eq!(architecture(instance_type), expected, "{instance_type}");
        }
    }
}
