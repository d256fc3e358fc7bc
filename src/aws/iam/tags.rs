//! Tags of entities. The operations of the kinds differ in names alone, so that each kind's module has them
//! made by `owner_tags!`.

use super::shown::{Tag, listed};
use super::{change, reading_entity};
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::page;
use crate::aws::shape::request;
use crate::domain::entity::{EntityAction, TagOwner};
use crate::domain::tags::Tags;
use crate::identity::{TagKey, TagValue};

request! {
    /// Source: IAM API Reference, Tag.
    GivenTag {
        key: TagKey = "Key",
        value: TagValue = "Value",
    }
}

listed! {
    ListTagsResult { tags: Tag }
}

/// The tags of a request.
pub(super) fn given(tags: Vec<GivenTag>) -> Result<Tags, Fault> {
    Ok(Tags::of_pairs(tags.into_iter().map(|tag| (tag.key, tag.value)))?)
}

pub(super) async fn tag(
    call: &Call<'_>,
    owner: TagOwner,
    tags: Vec<GivenTag>,
) -> Result<(), Fault> {
    change(call, EntityAction::Tag { owner, tags: given(tags)? }).await?;
    Ok(())
}

pub(super) async fn untag(
    call: &Call<'_>,
    owner: TagOwner,
    keys: Vec<TagKey>,
) -> Result<(), Fault> {
    change(call, EntityAction::Untag { owner, keys }).await?;
    Ok(())
}

pub(super) fn list(
    call: &Call<'_>,
    owner: &TagOwner,
    marker: Option<&str>,
    max_items: Option<u32>,
) -> Result<ListTagsResult, Fault> {
    let (_, account) = reading_entity(call, owner)?;
    let tags = owner.tags(&account).ok_or_else(|| owner.missing(&account))?;
    let entries: Vec<_> = Tag::all(tags).into_iter().map(|tag| (tag.sort_key(), tag)).collect();
    let listed = page(call.action, entries, |(key, _)| key, max_items, marker)?;
    Ok(ListTagsResult::of(listed, |(_, tag)| tag))
}

/// The operations on the tags of one kind of entity: the type of what names it, how that is called on the
/// wire, and the function from the one to the owner of the tags.
macro_rules! owner_tags {
    ($name:ty, $wire:literal, $owner:expr) => {
        request! {
            /// Source: IAM API Reference, TagUser and its like.
            TagOwned {
                owner: $name = $wire,
                tags: Vec<GivenTag> = "Tags" [Items(1, 50)],
            }
            /// Source: IAM API Reference, UntagUser and its like.
            UntagOwned {
                owner: $name = $wire,
                tag_keys: Vec<$crate::identity::TagKey> = "TagKeys" [Items(1, 50)],
            }
            /// Source: IAM API Reference, ListUserTags and its like.
            ListOwnedTags {
                owner: $name = $wire,
                marker: Option<String> = "Marker" [Length(1, MARKER_CHARS_MAX)],
                max_items: Option<u32> = "MaxItems" [Value(1, PAGE_MAX)],
            }
        }

        pub(super) async fn tag(call: &Call<'_>, request: TagOwned) -> Result<(), Fault> {
            tags::tag(call, $owner(call, request.owner)?, request.tags).await
        }

        pub(super) async fn untag(call: &Call<'_>, request: UntagOwned) -> Result<(), Fault> {
            tags::untag(call, $owner(call, request.owner)?, request.tag_keys).await
        }

        pub(super) async fn list_tags(
            call: &Call<'_>,
            request: ListOwnedTags,
        ) -> Result<tags::ListTagsResult, Fault> {
            let owner = $owner(call, request.owner)?;
            tags::list(call, &owner, request.marker.as_deref(), request.max_items)
        }
    };
}

pub(super) use owner_tags;
