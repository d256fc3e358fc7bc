//! Tags of entities. The operations of the kinds differ in names alone, so that each kind's module has them
//! made by `owner_tags!`.

use super::shown::{Tag, listed};
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::page;
use crate::aws::shape::request;
use crate::domain::tags::Tags;
use crate::identity::{TagKey, TagValue};
use crate::service::TaggedEntity;

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

pub(super) async fn list(
    call: &Call<'_>,
    entity: &TaggedEntity,
    marker: Option<&str>,
    max_items: Option<u32>,
) -> Result<ListTagsResult, Fault> {
    let found = call.service.list_tags(call.info, 0, entity).await?;
    let tags = Tag::all(&found.entity).into_iter();
    let entries: Vec<_> = tags.map(|tag| (tag.sort_key(), tag)).collect();
    let listed = page(call.action, entries, |(key, _)| key, max_items, marker)?;
    Ok(ListTagsResult::of(listed, |(_, tag)| tag))
}

/// The operations on the tags of one kind of entity: the kind, the type of what names it and how that is called on the
/// wire.
macro_rules! owner_tags {
    ($kind:ident, $name:ty, $wire:literal) => {
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
                marker: Option<String> = "Marker" [Length(1, $crate::aws::iam::MARKER_CHARS_MAX)],
                max_items: Option<u32> = "MaxItems" [Value(1, PAGE_MAX)],
            }
        }

        pub(super) async fn tag(call: &Call<'_>, request: TagOwned) -> Result<(), Fault> {
            let entity = $crate::service::TaggedEntity::$kind(request.owner);
            call.service.tag(call.info, "", &entity, tags::given(request.tags)?).await?;
            Ok(())
        }

        pub(super) async fn untag(call: &Call<'_>, request: UntagOwned) -> Result<(), Fault> {
            let entity = $crate::service::TaggedEntity::$kind(request.owner);
            call.service.untag(call.info, "", &entity, request.tag_keys).await?;
            Ok(())
        }

        pub(super) async fn list_tags(
            call: &Call<'_>,
            request: ListOwnedTags,
        ) -> Result<tags::ListTagsResult, Fault> {
            let entity = $crate::service::TaggedEntity::$kind(request.owner);
            tags::list(call, &entity, request.marker.as_deref(), request.max_items).await
        }
    };
}

pub(super) use owner_tags;
