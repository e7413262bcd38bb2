//! Outputs of ffmpeg that fit in memory: pictures and texts.

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;

use crate::failure::Fault;
use crate::ffmpeg::Broken;
use crate::limits;

/// Reads an output to its end.
pub(crate) async fn read(mut stream: UnixStream) -> Result<Bytes, Broken> {
    let mut bytes = BytesMut::new();
    while stream.read_buf(&mut bytes).await? > 0 {
        if bytes.len() > limits::SMALL_FILE_BYTES {
            return Err(Fault::permanent(
                "source_too_large",
                "What is to be taken from the file is too large.",
            )
            .into());
        }
    }
    Ok(bytes.freeze())
}
