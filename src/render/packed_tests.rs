//! Packed charts that are none, and their like.

use super::*;

fn files(all: &[(&str, &str)]) -> Files {
    all.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
}

const ABOUT: (&str, &str) = ("Chart.yaml", "apiVersion: v2\nname: redis\nversion: 1.0.0\n");

fn plain(entries: &[(&str, u8, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, kind, content) in entries {
        entry(&mut out, name, *kind, content.as_bytes()).unwrap();
    }
    out.extend([0; 1024]);
    out
}

fn zipped(plain: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(plain).unwrap();
    out.finish().unwrap()
}

fn read(bytes: &[u8]) -> Result<(String, Vec<String>), Refusal> {
    let mut names = Vec::new();
    let packed = open("c/charts/redis-1.0.0.tgz", bytes, &mut |name, _| {
        names.push(name.to_owned());
        Ok(())
    })?;
    // Helm is given what was seen, and nothing else.
    assert_eq!(open("x.tgz", &packed.bytes, &mut |_, _| Ok(())).unwrap(), packed);
    Ok((packed.name, names))
}

#[test]
fn every_file_is_seen_and_packed_again() {
    let long = format!("templates/{}.yaml", "n".repeat(120));
    let inner = pack("db", &files(&[("Chart.yaml", "name: db\n"), ("templates/d.yaml", "d")])).unwrap();
    let mut all = files(&[ABOUT, (&long, "a: 1\n"), ("charts/_db.tgz", "Helm skips it")]);
    all.insert("charts/db-1.0.tgz".to_owned(), inner);
    let (name, seen) = read(&pack("redis", &all).unwrap()).unwrap();
    assert_eq!(name, "redis");
    let below = |name: &str| format!("c/charts/redis-1.0.0.tgz/{name}");
    assert_eq!(
        seen,
        [
            below("Chart.yaml"),
            below("charts/_db.tgz"),
            below("charts/db-1.0.tgz"),
            below("charts/db-1.0.tgz/Chart.yaml"),
            below("charts/db-1.0.tgz/templates/d.yaml"),
            below(&long),
        ]
    );
    let pax = [
        ("pax_global_header", b'g', "18 comment=abcdef\n"),
        ("redis/", b'5', ""),
        ("x", b'x', "25 path=redis/Chart.yaml\n"),
        ("short", b'0', ABOUT.1),
    ];
    assert_eq!(read(&zipped(&plain(&pax))).unwrap().1, [below("Chart.yaml")]);
}

#[test]
fn what_two_readers_may_read_differently_is_refused() {
    let about = ("redis/Chart.yaml", b'0', ABOUT.1);
    let whole = zipped(&plain(&[about]));
    let mut wrong_sum = plain(&[about]);
    wrong_sum[0] = b'x';
    let behind = [plain(&[about]), plain(&[about])].concat();
    for (bytes, code, word) in [
        (b"no archive".to_vec(), "render-failed", "not gzip"),
        (whole[..whole.len() / 2].to_vec(), "render-failed", "not gzip"),
        ([whole.clone(), whole.clone()].concat(), "render-failed", "behind its end"),
        (zipped(&behind), "render-failed", "behind its end"),
        (zipped(&wrong_sum), "render-failed", "header"),
        (zipped(&plain(&[about])[..600]), "render-failed", "too early"),
        (zipped(&plain(&[])), "render-failed", "empty"),
        (zipped(&plain(&[("redis/values.yaml", b'0', "a: 1\n")])), "render-failed", "no Chart.yaml"),
        (zipped(&plain(&[about, about])), "render-failed", "twice"),
        (zipped(&plain(&[about, ("other/a.yaml", b'0', "")])), "render-failed", "more than one folder"),
        (zipped(&plain(&[about, ("a.yaml", b'0', "")])), "render-failed", "in no folder"),
        (zipped(&plain(&[about, ("redis/dev", b'3', "")])), "render-failed", "neither file nor folder"),
        (zipped(&plain(&[about, ("x", b'x', "10 size=1\n"), ("redis/a", b'0', "")])), "render-failed", "header"),
        (zipped(&plain(&[about, ("redis/link", b'2', "")])), "path-escape", "link"),
        (zipped(&plain(&[about, ("redis/../../a", b'0', "")])), "path-escape", "leads out"),
        (zipped(&plain(&[about, ("/etc/a", b'0', "")])), "path-escape", "leads out"),
        (zipped(&plain(&[about, ("redis/./a", b'0', "")])), "path-escape", "leads out"),
        (zipped(&plain(&[about, ("redis/a\\..\\b", b'0', "")])), "path-escape", "leads out"),
        (zipped(&plain(&[about, ("x", b'x', "19 path=redis/../a\n"), ("redis/a", b'0', "")])), "path-escape", "out"),
    ] {
        let refusal = read(&bytes).unwrap_err();
        assert!(refusal.code == code && refusal.message.contains(word), "{word}: {refusal:?}");
    }
}

#[test]
fn a_packed_chart_is_read_within_bounds() {
    let bomb = zipped(&vec![0; BYTES + 1]);
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    assert_eq!(read(&bomb).unwrap_err().code, "render-limit");
    let names: Vec<String> = (0..=FILES).map(|number| format!("a{number}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).chain([ABOUT]).collect();
    assert_eq!(read(&pack("redis", &files(&many)).unwrap()).unwrap_err().code, "render-limit");
    let mut nested = pack("redis", &files(&[ABOUT])).unwrap();
    for _ in 0..=DEPTH {
        let mut all = files(&[ABOUT]);
        all.insert("charts/redis-1.tgz".to_owned(), nested);
        nested = pack("redis", &all).unwrap();
    }
    assert_eq!(read(&nested).unwrap_err().code, "render-limit");
}

#[test]
fn helm_reads_archives_of_its_charts_folder_only() {
    for (path, wanted) in [
        ("charts/redis-1.0.tgz", true),
        ("charts/db/charts/x.tgz", true),
        ("charts/_x.tgz", false),
        ("charts/.x.tgz", false),
        ("files/x.tgz", false),
        ("charts/x.tar.gz", false),
        ("x.tgz", false),
    ] {
        assert_eq!(is_packed(path), wanted, "{path}");
    }
}
