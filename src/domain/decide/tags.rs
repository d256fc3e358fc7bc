//! Tags of entities, also of those that are being made. Source: IAM API Reference, the pages of the actions.

use super::Decider;
use super::policies::check_size;
use crate::domain::access::{Facts, Permission, Resource};
use crate::domain::command::TagAction;
use crate::domain::entity::TagOwner;
use crate::domain::event::{EventKind, PolicyEvent, PolicyOwner, TagEvent};
use crate::domain::quotas::TAGS_MAX;
use crate::domain::rejection::Rejection;
use crate::domain::tags::Tags;
use crate::identity::{Arn, TagKey};

impl Decider<'_> {
    pub(super) fn tags(&mut self, action: &TagAction) -> Result<(), Rejection> {
        match action {
            TagAction::Tag { owner, tags } => self.tag(owner, tags),
            TagAction::Untag { owner, keys } => self.untag(owner, keys),
        }
    }

    /// The caller may make an entity and, where it is to have tags, tag it.
    pub(super) fn require_creation(
        &self,
        create: Permission,
        tag: Permission,
        resource: &Resource<'_>,
    ) -> Result<(), Rejection> {
        let facts = Facts::of(&self.command.action);
        self.require_with(create, resource, &facts)?;
        if facts.sets_tags() { self.require_with(tag, resource, &facts) } else { Ok(()) }
    }

    /// Gives an entity that is being made its tags.
    pub(super) fn tag_created(&mut self, owner: TagOwner, tags: &Tags) -> Result<(), Rejection> {
        check_size("TagsPerEntity", TAGS_MAX, tags.len())?;
        if !tags.is_empty() {
            self.emit(EventKind::Tag(TagEvent::Tagged { owner, tags: tags.clone() }));
        }
        Ok(())
    }

    /// Gives a user or role that is being made its boundary.
    pub(super) fn bound_created(
        &mut self,
        owner: PolicyOwner,
        boundary: Option<&Arn>,
    ) -> Result<(), Rejection> {
        if let Some(boundary) = boundary {
            let policy = self.existing(boundary)?.reference();
            self.emit(EventKind::Policy(PolicyEvent::BoundaryPut { owner, policy }));
        }
        Ok(())
    }

    fn tag(&mut self, owner: &TagOwner, tags: &Tags) -> Result<(), Rejection> {
        self.require(Permission::tag(owner), &Resource::tag_owner(self.account, owner))?;
        let mut after = self.tags_of(owner)?.clone();
        let before = after.clone();
        after.extend(tags);
        check_size("TagsPerEntity", TAGS_MAX, after.len())?;
        if after != before {
            let (owner, tags) = (owner.clone(), tags.clone());
            self.emit(EventKind::Tag(TagEvent::Tagged { owner, tags }));
        }
        Ok(())
    }

    /// Keys that are not there are passed over.
    fn untag(&mut self, owner: &TagOwner, keys: &[TagKey]) -> Result<(), Rejection> {
        self.require(Permission::untag(owner), &Resource::tag_owner(self.account, owner))?;
        let tags = self.tags_of(owner)?;
        let keys: Vec<_> = keys.iter().filter(|key| tags.get(key).is_some()).cloned().collect();
        if !keys.is_empty() {
            self.emit(EventKind::Tag(TagEvent::Untagged { owner: owner.clone(), keys }));
        }
        Ok(())
    }

    fn tags_of(&self, owner: &TagOwner) -> Result<&Tags, Rejection> {
        owner.tags(self.account).ok_or_else(|| owner.missing(self.account))
    }
}
