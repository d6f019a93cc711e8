//! Reading manifests from files, directories and standard input: the one part of this module that does I/O.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    fs, io,
    io::Read,
    path::{Path, PathBuf},
};

use super::{
    Parsed, limits, parse,
    position::{Place, Position, Source},
    problem::{Problem, ProblemCode, Severity},
};

/// The endings of the files that are read from a directory.
pub const MANIFEST_ENDINGS: &[&str] = &["yaml", "yml", "json"];

/// What stands for standard input among the paths.
pub const STDIN_PATH: &str = "-";

/// What the paths hold.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The texts in the order of the paths, within a directory in the order of their names.
    pub texts: Vec<Text>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// The text of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The file's name.
    pub source: Source,
    /// What it holds.
    pub text: String,
}

/// Reads the texts of files, of directories with all below them, and of standard input for `-`.
///
/// From a directory, files that end in [`MANIFEST_ENDINGS`] are read. Names that start with a dot are passed over: an
/// editor's own files, and the `..data` of a mounted ConfigMap, whose files are links into it and are read as such.
/// A file that is given by name is read whatever it is called.
pub fn load<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Loaded {
    let mut loaded = Loaded::default();
    for path in paths {
        let path = path.as_ref();
        if path.as_os_str() == STDIN_PATH {
            loaded.take(Source::stdin(), read_limited(io::stdin().lock()));
        } else if path.is_dir() {
            let before = loaded.texts.len() + loaded.problems.len();
            loaded.directory(path, &mut BTreeSet::new());
            if loaded.texts.len() + loaded.problems.len() == before {
                loaded.problems.push(no_manifests(path));
            }
        } else {
            loaded.file(path);
        }
    }
    loaded
}

impl Loaded {
    /// The documents of all texts. What could not be read comes first among the problems.
    pub fn parse(&self) -> Parsed {
        let mut all = Parsed { documents: Vec::new(), problems: self.problems.clone() };
        for Text { source, text } in &self.texts {
            let parsed = parse(source, text);
            all.documents.extend(parsed.documents);
            all.problems.extend(parsed.problems);
        }
        all
    }

    /// Reads a directory, unless it was entered already: symbolic links may lead around in circles.
    fn directory(&mut self, directory: &Path, entered: &mut BTreeSet<PathBuf>) {
        let entries = fs::canonicalize(directory).and_then(|real| {
            if entered.insert(real) {
                fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect()
            } else {
                Ok(Vec::new())
            }
        });
        let mut entries: Vec<PathBuf> = match entries {
            Ok(entries) => entries,
            Err(error) => return self.problems.push(unreadable(directory, &error)),
        };
        entries.sort();
        for path in entries.iter().filter(|path| !is_hidden(path)) {
            match fs::metadata(path) {
                Ok(kind) if kind.is_dir() => self.directory(path, entered),
                // Not a socket or a pipe, from which reading might never end.
                Ok(kind) if kind.is_file() && is_manifest(path) => self.file(path),
                Ok(_) => {}
                Err(error) if is_manifest(path) => self.problems.push(unreadable(path, &error)),
                Err(_) => {}
            }
        }
    }

    fn file(&mut self, path: &Path) {
        let source = Source::new(path.to_string_lossy());
        match fs::File::open(path) {
            Ok(file) => self.take(source, read_limited(file)),
            Err(error) => self.problems.push(unreadable(path, &error)),
        }
    }

    fn take(&mut self, source: Source, bytes: io::Result<Vec<u8>>) {
        let text = match bytes {
            Ok(bytes) => decode_utf8(&source, bytes),
            Err(error) => Err(Box::new(unreadable(Path::new(source.as_str()), &error))),
        };
        match text {
            Ok(text) => self.texts.push(Text { source, text }),
            Err(problem) => self.problems.push(*problem),
        }
    }
}

/// Reads one byte more than is allowed at most: enough for [`parse`] to see that it is too much.
fn read_limited(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(limits::MAX_SOURCE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn decode_utf8(source: &Source, bytes: Vec<u8>) -> Result<String, Box<Problem>> {
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        // Cut within a character at the limit; `parse` tells of it.
        Err(error) if error.as_bytes().len() > limits::MAX_SOURCE_BYTES => {
            return Ok(String::from_utf8_lossy(error.as_bytes()).into_owned());
        }
        Err(error) => error.into_bytes(),
    };
    let valid = bytes.utf8_chunks().next().map(|chunk| chunk.valid()).unwrap_or_default();
    let what = match bytes.as_slice() {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "the text is UTF-16, not UTF-8".to_owned(),
        _ => format!("byte {:#04x} is not UTF-8", bytes.get(valid.len()).copied().unwrap_or_default()),
    };
    let problem = Problem::error(ProblemCode::Encoding, what).at(Place::end_of(valid).within(source));
    Err(Box::new(problem.help("save the file as UTF-8")))
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_manifest(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| MANIFEST_ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let problem = at(path, Problem::error(ProblemCode::Unreadable, format!("cannot read it: {error}")));
    match error.kind() {
        io::ErrorKind::NotFound => problem.help("check the path"),
        io::ErrorKind::PermissionDenied => {
            problem.help("check the permissions of the file and its directories")
        }
        _ => problem,
    }
}

fn no_manifests(directory: &Path) -> Problem {
    let message = "the directory holds no manifests";
    at(directory, Problem::new(Severity::Warning, ProblemCode::Unreadable, message))
        .help(format!("files that end in {} are read", MANIFEST_ENDINGS.join(", ")))
}

fn at(path: &Path, problem: Problem) -> Problem {
    problem.at(Position { source: Source::new(path.to_string_lossy()), line: 1, column: 1 })
}
