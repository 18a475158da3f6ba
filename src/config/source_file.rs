//! Reads the configuration file within bounds: of its size, and of the time that a pipe takes.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::problem::unreadable;
use crate::clock::Clock;

/// Most bytes of a configuration file.
const MAX_FILE: u64 = 64 << 20;
/// Most time until a pipe is written completely and closed. Shells write `<(...)` at once.
const PIPE_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads a regular file or a pipe.
///
/// # Errors
///
/// Why it cannot be read, as the message of a problem.
pub(super) fn content(path: &Path) -> Result<Vec<u8>, String> {
    read(path, PIPE_TIMEOUT).unwrap_or_else(|error| Err(unreadable(&error)))
}

/// Returns whether the path is that of a pipe.
pub(super) fn is_pipe(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

fn read(path: &Path, timeout: Duration) -> io::Result<Result<Vec<u8>, String>> {
    // A pipe that blocks would wait here for its writer, without a limit.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let kind = file.metadata()?.file_type();
    let mut bytes = Vec::new();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    } else if kind.is_file() {
        file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    } else if !kind.is_fifo() {
        return Ok(Err(
            "this is neither a regular file nor a pipe; name a regular file".to_owned(),
        ));
    } else if !read_pipe(file, timeout, &mut bytes)? {
        return Ok(Err(format!(
            "the pipe was not written and closed within {} s; name a regular file, or correct the writer",
            timeout.as_secs()
        )));
    }
    Ok(match bytes.len() as u64 > MAX_FILE {
        true => Err(format!(
            "the file is larger than {} MiB, the maximum; select pipelines or images in place of single steps",
            MAX_FILE >> 20
        )),
        false => Ok(bytes),
    })
}

/// Reads until the pipe is closed, or until it is too large. Returns whether that was in time.
fn read_pipe(mut pipe: File, timeout: Duration, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let deadline = Clock::System.now().instant + timeout;
    let mut part = vec![0; 64 << 10];
    while bytes.len() as u64 <= MAX_FILE {
        let left = deadline.saturating_duration_since(Clock::System.now().instant);
        let milliseconds = i32::try_from(left.as_millis()).unwrap_or(i32::MAX);
        match poll(&mut [PollFd::new(&pipe, PollFlags::IN)], milliseconds) {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        match pipe.read(&mut part) {
            Ok(0) => return Ok(true),
            Ok(read) => bytes.extend_from_slice(&part[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Another reader was faster.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::PathBuf;

    use super::*;

    const SOON: Duration = Duration::from_millis(50);

    /// A folder that is removed with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("imagebuilder-exporter-{name}-{}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn pipe(&self) -> PathBuf {
            let pipe = self.0.join("pipe");
            let made = std::process::Command::new("mkfifo").arg(&pipe).status();
            assert!(made.unwrap().success());
            pipe
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn file_of_the_maximum_is_read_and_one_more_byte_is_refused() {
        let folder = Folder::new("size");
        let path = folder.0.join("file");
        let file = File::create(&path).unwrap();
        file.set_len(MAX_FILE).unwrap();
        assert_eq!(content(&path).unwrap().len() as u64, MAX_FILE);
        file.set_len(MAX_FILE + 1).unwrap();
        assert!(content(&path).unwrap_err().contains("larger than 64 MiB"));
    }

    #[test]
    fn device_and_directory_are_refused() {
        let refused = content(Path::new("/dev/zero")).unwrap_err();
        assert!(refused.starts_with("this is neither a regular file nor a pipe"));
        let refused = content(&std::env::temp_dir()).unwrap_err();
        assert_eq!(refused, "this is a directory; name a file");
    }

    #[test]
    fn pipe_is_read_until_its_writer_closes_it() {
        let folder = Folder::new("pipe");
        let pipe = folder.pipe();
        let writer = std::thread::spawn({
            let pipe = pipe.clone();
            // Opens when the reader does.
            move || File::create(pipe).unwrap().write_all(&[b'x'; 200_000])
        });
        assert_eq!(content(&pipe).unwrap().len(), 200_000);
        writer.join().unwrap().unwrap();
    }

    #[test]
    fn pipe_without_writer_or_with_one_that_waits_is_given_up() {
        let folder = Folder::new("silent");
        let pipe = folder.pipe();
        let given_up = |read: io::Result<Result<_, String>>| {
            let fault = read.unwrap().unwrap_err();
            assert!(fault.contains("was not written and closed"), "{fault}");
        };
        given_up(read(&pipe, SOON));
        // Opens at once, as it is a reader too.
        let writer = File::options().read(true).write(true).open(&pipe).unwrap();
        (&writer).write_all(b"targets:").unwrap();
        given_up(read(&pipe, SOON));
    }

    #[test]
    fn pipe_without_end_is_refused_at_the_maximum() {
        let folder = Folder::new("endless");
        let pipe = folder.pipe();
        let writer = std::thread::spawn({
            let pipe = pipe.clone();
            move || {
                let mut writer = File::create(pipe).unwrap();
                // Ends with the reader.
                while writer.write_all(&[b'#'; 64 << 10]).is_ok() {}
            }
        });
        assert!(content(&pipe).unwrap_err().contains("larger than 64 MiB"));
        writer.join().unwrap();
    }
}
