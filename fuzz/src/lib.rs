//! What has to hold for any input: the bodies of the fuzz targets, and of the tests in
//! `tests/it/fuzzing.rs`. Each panics where it does not hold.

pub mod requests;
pub mod responses;

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, process, str};

use flate2::read::GzDecoder;
use imagebuilder_exporter::config::{Config, Problem, Web};
use imagebuilder_exporter::labels::LabelText;
use imagebuilder_exporter::model::{ImageArn, PipelineArn, Timestamp, WorkflowArn};
use imagebuilder_exporter::pieces::{CompressorPool, Member, Piece};

/// Panics where something does not hold for these bytes.
pub type Body = fn(&[u8]);

/// Each body by the name of its target, which is that of the folder of its seeds.
pub const ALL: [(&str, Body); 8] = [
    ("arns", arns),
    ("configuration", configuration),
    ("label_values", label_values),
    ("pieces", pieces),
    ("requests", requests::requests),
    ("responses", responses::responses),
    ("timestamps", timestamps),
    ("web_configuration", web_configuration),
];

/// A configuration is read, or refused with problems that have a place in it.
pub fn configuration(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    match Config::read("file.yaml", text, &|_| None) {
        Ok(checked) => {
            assert_told(text, &checked.warnings);
            checked.config.effective();
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            assert_told(text, &problems);
        }
    }
}

fn assert_told(text: &str, problems: &[Problem]) {
    // YAML ends a line with a lone carriage return too.
    let lines = text.split(['\n', '\r']).count();
    // A pattern may name whatever file.
    for problem in problems
        .iter()
        .filter(|problem| problem.file == "file.yaml")
    {
        assert!(problem.line <= lines + 1, "{problem}");
        assert_readable(problem);
    }
}

fn assert_readable(problem: &Problem) {
    assert!(problem.line >= 1 && problem.column >= 1, "{problem}");
    assert!(!problem.message.is_empty(), "{problem}");
    assert!(!problem.message.contains('\n'), "{problem}");
}

/// A web configuration is read, or refused with problems of one line each.
pub fn web_configuration(bytes: &[u8]) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!(
        "imagebuilder_exporter-fuzzing-{}-{}.yaml",
        process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    let path = env::temp_dir().join(name);
    fs::write(&path, bytes).expect("the folder for temporary files takes one");
    let read = Web::load(&path);
    fs::remove_file(&path).expect("it was written");
    match read {
        Ok(web) => assert_eq!(web.tls.is_some(), web.config.tls_server_config.is_some()),
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in &problems {
                assert_readable(problem);
            }
        }
    }
}

/// A time that is read is written so that it is read as the same one.
pub fn timestamps(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    if let Some(time) = Timestamp::parse(text) {
        // What has no such date is never written.
        if let Some(written) = time.rfc3339() {
            assert_eq!(Timestamp::parse(&written), Some(time), "{text}");
            assert_eq!(Timestamp::parse(&time.iso8601()), Some(time), "{text}");
        }
    }
    if let Some(time) = Timestamp::parse_http(text) {
        let second = Timestamp::from_millis(time.millis().div_euclid(1_000) * 1_000);
        assert_eq!(
            Timestamp::parse_http(&time.to_http()),
            Some(second),
            "{text}"
        );
    }
}

/// The parts of an ARN that is read are the ARN.
pub fn arns(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    if let Some(arn) = ImageArn::parse(text) {
        let (region, account) = (arn.region(), arn.account_id());
        let end = format!(
            ":imagebuilder:{region}:{account}:image/{}/{}",
            arn.name(),
            arn.version()
        );
        assert_made_of(text, arn.as_str(), &end);
    }
    if let Some(arn) = PipelineArn::parse(text) {
        let (region, account) = (arn.region(), arn.account_id());
        let end = format!(
            ":imagebuilder:{region}:{account}:image-pipeline/{}",
            arn.name()
        );
        assert_made_of(text, arn.as_str(), &end);
    }
    if let Some(arn) = WorkflowArn::parse(text) {
        let end = format!(":workflow/{}/{}/{}", arn.kind(), arn.name(), arn.version());
        assert_made_of(text, arn.as_str(), &end);
    }
}

fn assert_made_of(text: &str, arn: &str, end: &str) {
    assert_eq!(arn, text);
    assert!(
        arn.starts_with("arn:") && arn.ends_with(end),
        "{arn}: {end}"
    );
}

/// Any value of a label is read from the text as it was, and the text has one line.
pub fn label_values(bytes: &[u8]) {
    let value = String::from_utf8_lossy(bytes);
    let text = LabelText::new([("first", value.as_ref()), ("empty", ""), ("last", "x")]);
    assert!(!text.as_str().contains('\n'));
    let mut expected = vec![("first", value.into_owned()), ("last", "x".to_owned())];
    expected.retain(|(_, value)| !value.is_empty());
    assert_eq!(text.pairs().collect::<Vec<_>>(), expected);
}

/// Compressed pieces and texts between them are one gzip member of all their text. The first byte
/// of each line says how the rest is compressed.
pub fn pieces(bytes: &[u8]) {
    let pool = CompressorPool::default();
    let mut compressor = pool.take();
    let (mut out, mut text) = (Vec::new(), Vec::new());
    let mut member = Member::begin(&mut out);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        text.extend_from_slice(line);
        match line[0] % 3 {
            0 => member.text(line, &mut compressor, &mut out),
            way => {
                let mut piece = Piece::default();
                if way == 1 {
                    piece.make(line, &mut compressor);
                } else {
                    piece.make_quickly(line, &mut compressor);
                }
                member.join(&piece, &mut out);
            }
        }
    }
    member.end(&mut out);
    let mut read = Vec::new();
    let inflated = GzDecoder::new(&out[..]).read_to_end(&mut read);
    inflated.expect("gzip with the right length and checksum");
    assert!(read == text, "{} bytes are not {}", read.len(), text.len());
}
