//! Several ranges come as `multipart/byteranges`, each part with exactly the bytes its `Content-Range` names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::sync::LazyLock;

use proptest::prelude::*;
use support::{Object, Origin, SLICE, TestEdge, random_bytes};
use tidegate_testkit::http::Response;
use tidegate_wire::ByteRange;
use tidegate_wire::range::{ContentRange, RangeSet};

const SIZE: usize = 5 * SLICE + 321;

struct Scene {
    _origin: Origin,
    edge: TestEdge,
    bytes: Vec<u8>,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let origin = Origin::start();
    let bytes = random_bytes(9, SIZE);
    origin.put("/film", Object::new(bytes.clone(), "one"));
    let edge = TestEdge::general(&origin);
    Scene { _origin: origin, edge, bytes }
});

/// Takes a multipart body apart the way a client does: by its boundary, its fields and its lengths.
fn parts(answer: &Response) -> Vec<(ByteRange, Vec<u8>)> {
    let content_type = answer.header("content-type").unwrap();
    let boundary = content_type.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let mut rest = answer.body.as_slice();
    let mut parts = Vec::new();
    let take = |rest: &mut &[u8], expected: &str| {
        assert!(rest.starts_with(expected.as_bytes()), "{expected:?} at {:?}", &rest[..rest.len().min(80)]);
        *rest = &rest[expected.len()..];
    };
    take(&mut rest, &format!("--{boundary}"));
    while rest != b"--\r\n" {
        take(&mut rest, "\r\ncontent-type: video/mp4\r\ncontent-range: ");
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let field = ContentRange::parse(std::str::from_utf8(&rest[..end]).unwrap()).unwrap();
        assert_eq!(field.size, Some(SIZE as u64));
        rest = &rest[end + 4..];
        let range = field.range.unwrap();
        let len = usize::try_from(range.len()).unwrap();
        parts.push((range, rest[..len].to_vec()));
        rest = &rest[len..];
        take(&mut rest, &format!("\r\n--{boundary}"));
    }
    parts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_part_has_exactly_its_bytes(specs in prop::collection::vec((0u64..SIZE as u64 + 500, 1u64..40_000, 0u8..4), 1..8)) {
        let scene = &*SCENE;
        let list: Vec<String> = specs.iter().map(|&(start, len, kind)| match kind {
            0 => format!("{start}-"),
            1 => format!("-{len}"),
            _ => format!("{start}-{}", start + len - 1),
        }).collect();
        let field = format!("bytes={}", list.join(", "));
        let expected = RangeSet::parse(&field, 16).unwrap().unwrap().resolve(SIZE as u64);
        let answer = scene.edge.range("/film", &field);
        let slice = |range: &ByteRange| &scene.bytes[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
        match expected.as_deref() {
            Err(_) => prop_assert_eq!(answer.status, 416),
            Ok([range]) => {
                prop_assert_eq!(answer.status, 206);
                let named = range.content_range(SIZE as u64);
                prop_assert_eq!(answer.header("content-range"), Some(named.as_str()));
                prop_assert!(answer.whole && answer.body == slice(range));
            }
            Ok(ranges) => {
                prop_assert_eq!(answer.status, 206);
                prop_assert!(answer.whole && answer.header("content-length").is_some() && answer.header("content-range").is_none());
                let parts = parts(&answer);
                prop_assert_eq!(parts.len(), ranges.len());
                for (part, range) in parts.iter().zip(ranges) {
                    prop_assert_eq!(part.0, *range);
                    prop_assert!(part.1 == slice(range));
                }
            }
        }
    }
}
