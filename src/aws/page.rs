//! Pages of lists: `MaxItems` and `Marker`, or `MaxResults` and `NextToken`. A marker is opaque and stays right
//! while entries come and go: it names the last entry that was told, and holds for one action alone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::fault::Fault;

/// Entries of a page that asks for no number, and at most (IAM API Reference, MaxItems).
pub(super) const PAGE_DEFAULT: u32 = 100;
pub(super) const PAGE_MAX: u64 = 1000;

/// A page of a list.
pub(super) struct Page<T> {
    /// Its entries.
    pub(super) entries: Vec<T>,
    /// The marker of the next one, if there is one.
    pub(super) next: Option<String>,
}

/// Cuts a list to the page that is asked for. `key` is what the list is sorted by; `size` is 100 if none.
pub(super) fn page<T>(
    action: &str,
    list: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> &str,
    size: Option<u32>,
    marker: Option<&str>,
) -> Result<Page<T>, Fault> {
    let size = usize::try_from(size.unwrap_or(PAGE_DEFAULT)).unwrap_or(usize::MAX);
    let after = marker.map(|marker| read(action, marker).ok_or_else(Fault::marker)).transpose()?;
    let told = |entry: &T| after.as_deref().is_some_and(|after| key(entry) <= after);
    let mut rest = list.into_iter().skip_while(told);
    let entries: Vec<T> = rest.by_ref().take(size).collect();
    let more = rest.next().is_some();
    let next = entries.last().filter(|_| more).map(|last| write(action, key(last)));
    Ok(Page { entries, next })
}

fn checksum(action: &str, key: &str) -> [u8; 4] {
    crc32c::crc32c_append(crc32c::crc32c(action.as_bytes()), key.as_bytes()).to_be_bytes()
}

fn write(action: &str, key: &str) -> String {
    let mut bytes = checksum(action, key).to_vec();
    bytes.extend_from_slice(key.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read(action: &str, marker: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(marker).ok()?;
    let (sum, key) = bytes.split_first_chunk::<4>()?;
    let key = std::str::from_utf8(key).ok()?;
    (checksum(action, key) == *sum).then(|| key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(action: &str, size: u32, marker: Option<&str>) -> Result<Page<&'static str>, Fault> {
        page(action, ["a", "b", "c"], |name| name, Some(size), marker)
    }

    /// Protects clients that page: every entry once, and the end is told.
    #[test]
    fn pages_lead_through_the_whole_list() {
        let first = names("ListRoles", 2, None).unwrap_or_else(|_| panic!("a page"));
        assert_eq!(first.entries, ["a", "b"]);
        let second =
            names("ListRoles", 2, first.next.as_deref()).unwrap_or_else(|_| panic!("a page"));
        assert_eq!((second.entries, second.next), (vec!["c"], None));
    }

    /// Protects clients from markers of another list.
    #[test]
    fn a_marker_is_for_its_own_list() {
        let first = names("ListRoles", 2, None).unwrap_or_else(|_| panic!("a page"));
        assert!(names("ListUsers", 2, first.next.as_deref()).is_err());
        assert!(names("ListRoles", 2, Some("x")).is_err());
    }
}
