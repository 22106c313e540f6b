//! Videos: Motion JPEG, bare and in AVI, and Y4M.

use std::io::Cursor;

use synapress_video::{Error, read};

/// Bytes as a video: it ends, nothing comes behind its end, and no frame has more bytes than there are.
pub fn video(bytes: &[u8]) {
    let Ok(mut frames) = read(Cursor::new(bytes.to_vec())) else { return };
    let (mut count, mut ended) = (0, false);
    for frame in &mut frames {
        assert!(!ended, "behind a fault of the source there is nothing");
        ended = matches!(frame, Err(Error::Source(_)));
        count += 1;
        // Decoding pictures is the target `image`'s; a few show that frames and decoder go together.
        if count <= 4
            && let Ok(frame) = frame
        {
            let _ = frame.decode();
        }
    }
    assert!(count <= bytes.len() && frames.next().is_none());
}
