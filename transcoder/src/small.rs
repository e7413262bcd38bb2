//! Outputs of ffmpeg that fit in memory: pictures and texts.

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;

use crate::ffmpeg::Broken;
use crate::limits;

/// Reads an output to its end; `None` where it is larger than `limit_bytes`, of which nothing is kept.
pub(crate) async fn read(mut stream: UnixStream, limit_bytes: usize) -> Result<Option<Bytes>, Broken> {
    let (mut bytes, mut fits) = (BytesMut::new(), true);
    loop {
        bytes.reserve(limits::SMALL_READ_BYTES);
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(fits.then(|| bytes.freeze()));
        }
        fits &= bytes.len() <= limit_bytes;
        // Read on to the end all the same: ffmpeg would take a closed socket for a reason to stop all its outputs.
        if !fits {
            bytes.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn what_is_too_large_is_read_to_its_end_and_not_kept() {
        for (size, kept) in [(0, true), (100_000, true), (100_001, false), (5_000_000, false)] {
            let (mut from, to) = UnixStream::pair().unwrap();
            let writing = tokio::spawn(async move { from.write_all(&vec![7; size]).await });
            let read = read(to, 100_000).await.unwrap();
            assert_eq!(read.map(|bytes| bytes.len()), kept.then_some(size));
            writing.await.unwrap().expect("it was cut off");
        }
    }
}
