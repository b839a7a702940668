//! Opens files beneath a directory, and nothing that is not beneath it.

use std::fs::{self, Metadata};
use std::future::{Ready, ready};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeek, ReadBuf, Take};
use tower_http::services::fs::{Backend, File};

/// How to open a directory on the way to a file.
const STEP: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// How to open what is to be read: without waiting, were it a pipe.
const READ: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// A directory, whose files are found by paths that are relative to it.
///
/// Symbolic links are followed as long as they lead to something beneath the directory. The directory itself
/// may be one: it is looked up for each file, so that one that is pointed elsewhere takes effect.
#[derive(Clone, Debug)]
pub(crate) struct Beneath {
    root: Arc<Path>,
}

impl Beneath {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root: root.into() }
    }

    /// Opens the file or the directory at `path`.
    ///
    /// The path is resolved first, and then walked without following another link: whoever puts a link in its
    /// way in between gets no further than one who asks afterwards.
    fn find(&self, path: &Path) -> io::Result<(fs::File, Metadata)> {
        let root = self.root.canonicalize()?;
        let resolved = root.join(path).canonicalize()?;
        let below = resolved.strip_prefix(&root).map_err(|_| io::ErrorKind::NotFound)?;
        let mut at = openat(CWD, &root, STEP, Mode::empty())?;
        if let Some(parent) = below.parent() {
            for name in parent {
                at = openat(&at, name, STEP, Mode::empty())?;
            }
        }
        let name = below.file_name().unwrap_or(".".as_ref());
        let file = fs::File::from(openat(&at, name, READ, Mode::empty())?);
        let metadata = file.metadata()?;
        match metadata.is_file() || metadata.is_dir() {
            true => Ok((file, metadata)),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// [`find`](Self::find), on a thread that may wait for the disk.
    async fn look_up(self, path: PathBuf) -> io::Result<(fs::File, Metadata)> {
        let found = tokio::task::spawn_blocking(move || self.find(&path)).await.map_err(io::Error::other)?;
        found.map_err(|error| {
            if is_not_there(&error) {
                return io::ErrorKind::NotFound.into();
            }
            tracing::error!("cannot open a file: {error}");
            error
        })
    }
}

/// Whether `error` says no more than that there is nothing to be served at a path.
fn is_not_there(error: &io::Error) -> bool {
    match Errno::from_io_error(error) {
        Some(errno) => matches!(
            errno,
            Errno::NOENT | Errno::NOTDIR | Errno::ACCESS | Errno::LOOP | Errno::NAMETOOLONG | Errno::NXIO
        ),
        // What no system call said: the path leads out, or has a NUL in it.
        None => matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidInput),
    }
}

type Found<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

impl Backend for Beneath {
    type File = Opened;
    type Metadata = Metadata;
    type OpenFuture = Found<Opened>;
    type MetadataFuture = Found<Metadata>;

    fn open(&self, path: PathBuf) -> Found<Opened> {
        let found = self.clone().look_up(path);
        Box::pin(async move {
            let (file, metadata) = found.await?;
            let file = tokio::fs::File::from_std(file).take(metadata.len());
            Ok(Opened { file, metadata })
        })
    }

    fn metadata(&self, path: PathBuf) -> Found<Metadata> {
        let found = self.clone().look_up(path);
        Box::pin(async move { Ok(found.await?.1) })
    }
}

/// A file that is read as long as it was when it was opened: its length has been told, and it may grow.
pub(crate) struct Opened {
    file: Take<tokio::fs::File>,
    metadata: Metadata,
}

impl File for Opened {
    type Metadata = Metadata;
    type MetadataFuture<'a> = Ready<io::Result<Metadata>>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        ready(Ok(self.metadata.clone()))
    }
}

impl AsyncRead for Opened {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_read(cx, buffer)
    }
}

impl AsyncSeek for Opened {
    fn start_seek(mut self: Pin<&mut Self>, position: io::SeekFrom) -> io::Result<()> {
        Pin::new(self.file.get_mut()).start_seek(position)
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Pin::new(self.file.get_mut()).poll_complete(cx)
    }
}
