//! Everything that can be wrong with an experiment, and the words for it.

use std::fmt::Write as _;
use std::path::Path;

use tempfile::TempDir;

use super::{load_in, project};
use crate::load;
use exitlab_base::error::Error;

/// Experiments and `--set`s with something wrong in them.
const WRONG: &[(&str, &str, &[&str])] = &[
    ("no name", "", &[]),
    (
        "detail without the tracepoint",
        "name = 'x'\n[sampling]\ndetail = true",
        &[],
    ),
    (
        "detail with channels that know nothing of it",
        "name = 'x'\n[sampling]\nchannels = ['stats']",
        &["sampling.detail=true", "sampling.places=true"],
    ),
    (
        "a log without the tracepoint, and of no size",
        "name = 'x'\n[sampling]\nlog = true\nlog_limit = 0\nlog_buffer = '16'",
        &[],
    ),
    ("not TOML", "name = 'x'\n[guest\n", &[]),
    ("a key given twice", "name = 'x'\nname = 'y'", &[]),
    ("unknown key", "name = 'x'\n[guest]\nmachin = 'q35'", &[]),
    (
        "unknown key, nothing near",
        "name = 'x'\ncolour = 'red'",
        &[],
    ),
    (
        "unknown section",
        "name = 'x'\n[gest]\nmachine = 'q35'",
        &[],
    ),
    (
        "key of two sections in none",
        "name = 'x'\nmemory = '1G'",
        &[],
    ),
    (
        "key below a section",
        "name = 'x'\n[guest]\nvcpus = 1\ninspect = ['ls']",
        &[],
    ),
    ("unknown key in --set", "name = 'x'", &["guest.vpcus=2"]),
    ("integer for string", "name = 5", &[]),
    (
        "string for integer",
        "name = 'x'\n[guest]\nvcpus = 'two'",
        &[],
    ),
    (
        "string for boolean in --set",
        "name = 'x'",
        &["guest.ssh=yes"],
    ),
    ("string for list", "name = 'x'\ninspect = 'ls'", &[]),
    (
        "integer in a list",
        "name = 'x'\n[sampling]\nschedule = ['boot', 5]",
        &[],
    ),
    ("float for integer", "name = 'x'\n[guest]\nvcpus = 1.5", &[]),
    ("value for section", "name = 'x'\nguest = 5", &[]),
    ("integer for string in --set", "name = 'x'", &["name=5"]),
    ("--set without value", "name = 'x'", &["guest.machine"]),
    ("--set without key", "name = 'x'", &["=q35"]),
    ("name with a slash", "name = 'a/b'", &[]),
    ("unknown platform", "name = 'x'\nplatform = 'bochs'", &[]),
    ("empty command", "name = 'x'\ninspect = [' ']", &[]),
    (
        "missing tree",
        "name = 'x'\n[kernel]\nsource = 'linux-6.12'",
        &[],
    ),
    (
        "not a tree",
        "name = 'x'\n[kernel]\nsource = '../tools'",
        &[],
    ),
    (
        "not a package",
        "name = 'x'\n[kernel]\nsource = 'debian:linux'",
        &[],
    ),
    (
        "missing fragment",
        "name = 'x'\n[kernel]\nfragments = ['my.config']",
        &[],
    ),
    (
        "missing image",
        "name = 'x'\n[kernel]\nsource = 'image:bzImage'",
        &[],
    ),
    (
        "directory as image",
        "name = 'x'\n[kernel]\nsource = 'image:../tools'",
        &[],
    ),
    (
        "building an image",
        "name = 'x'\n[kernel]\nsource = 'image:../tools/strace'\ncensus = true\n\
         fragments = ['../my.config']",
        &["kernel.patches=['my.config']"],
    ),
    (
        "building an image of --set",
        "name = 'x'\n[kernel]\ncensus = false\nfragments = []",
        &["kernel.source=image:tools/strace"],
    ),
    (
        "missing patch",
        "name = 'x'\n[kernel]\npatches = ['../my.config', 'my.patch']",
        &[],
    ),
    ("not a size", "name = 'x'\n[host]\nmemory = '1024MB'", &[]),
    ("host too small", "name = 'x'\n[host]\nmemory = '512M'", &[]),
    ("guest too big", "name = 'x'", &["guest.memory=1G"]),
    ("guest too small", "name = 'x'\n[guest]\nmemory = '8M'", &[]),
    (
        "instructions",
        "name = 'x'\n[host]\ninstructions_per_second = 1000",
        &[],
    ),
    (
        "instructions on another platform",
        "name = 'x'\nplatform = 'tcg-svm'\n[host]\ninstructions_per_second = 200_000_000",
        &[],
    ),
    (
        "unknown machine",
        "name = 'x'\n[guest]\nmachine = 'q53'",
        &[],
    ),
    ("no vcpus", "name = 'x'\n[guest]\nvcpus = 0", &[]),
    ("negative vcpus in --set", "name = 'x'", &["guest.vcpus=-1"]),
    (
        "cpu with a space",
        "name = 'x'\n[guest]\ncpu = 'host, -x2apic'",
        &[],
    ),
    (
        "two-line cmdline",
        "name = 'x'\n[guest]\ncmdline = \"quiet\\nsplash\"",
        &[],
    ),
    (
        "missing file",
        "name = 'x'\n[guest]\nfiles = [\n  '../tools/strace',\n  '../tools/perf',\n]",
        &[],
    ),
    (
        "directory as file",
        "name = 'x'\n[guest]\nfiles = ['../tools']",
        &[],
    ),
    ("empty seed", "name = 'x'\n[guest]\nseed = ''", &[]),
    (
        "a guest of two minds",
        "name = 'x'\ninspect = ['ls']\n[guest]\nimage = 'debian'\ndisk = '../my.config'\n\
         initrd = '../my.config'\nfiles = ['../tools/strace']\npackages = ['fio']",
        &["guest.ssh=false"],
    ),
    (
        "wrong guests",
        "name = 'x'\n[guest]\nimage = 'alpine'\nkernel = '../bzImage'\ndisk = '../tools'\n\
         devices = ['-device x', 'pvpanic']\npackages = ['--help', 'FIO']",
        &[],
    ),
    (
        "a moment of a guest without SSH",
        "name = 'x'\n[sampling]\nschedule = ['boot', 'line:READY', 'end']",
        &[],
    ),
    (
        "a disk too big for the host",
        "name = 'x'\nplatform = 'tcg-svm'\nguest.image = 'debian'\nguest.memory = '512M'",
        &[],
    ),
    (
        "empty schedule",
        "name = 'x'\n[sampling]\nschedule = []",
        &[],
    ),
    (
        "schedule without boot",
        "name = 'x'\n[sampling]\nschedule = ['+5s', '+5s']",
        &[],
    ),
    (
        "schedule boots twice",
        "name = 'x'\n[sampling]\nschedule = ['boot', 'boot']",
        &[],
    ),
    (
        "no time between",
        "name = 'x'\n[sampling]\nschedule = ['boot', '+0s']",
        &[],
    ),
    (
        "negative time between",
        "name = 'x'\n[sampling]\nschedule = ['boot', '+-5s']",
        &[],
    ),
    (
        "absolute, backwards",
        "name = 'x'\n[sampling]\nschedule = ['boot', '+5s', '@4s']",
        &[],
    ),
    (
        "not a moment",
        "name = 'x'\n[sampling]\nschedule = ['boot', '5s']",
        &[],
    ),
    (
        "not a duration",
        "name = 'x'\n[sampling]\nschedule = ['boot', '+5 s']",
        &[],
    ),
    (
        "too fine",
        "name = 'x'\n[sampling]\nschedule = ['boot', '+0.0001s']",
        &[],
    ),
    ("no channel", "name = 'x'\n[sampling]\nchannels = []", &[]),
    (
        "unknown channel",
        "name = 'x'\n[sampling]\nchannels = ['msr']",
        &[],
    ),
    (
        "channel twice",
        "name = 'x'\n[sampling]\nchannels = ['stats', 'stats']",
        &[],
    ),
    (
        "no deadline",
        "name = 'x'\n[deadlines]\nsilence = '0s'",
        &[],
    ),
    (
        "endless deadline",
        "name = 'x'\n[deadlines]\nsilence = '1000h'",
        &[],
    ),
    (
        "unknown key of a phase",
        "name = 'x'\n[[phase]]\nname = 'cpu'\nrum = 'ls'",
        &[],
    ),
    (
        "wrong phases",
        "name = 'x'\n[[phase]]\nname = 'cpu'\n[[phase]]\nrun = 'ls'\n[[phase]]\nname = 'idle'\n\
         run = 'ls'\n[[phase]]\nname = 'a b'\nrun = 'ls'\n[[phase]]\nname = 'a'\nrun = ' '\n\
         [[phase]]\nname = 'b'\nrun = 'ls'\nrepeat = 0\n[[phase]]\nname = 'c'\nrun = 'ls'\n\
         [[phase]]\nname = 'c'\nrun = 'ls'\n[[phase]]\nname = 'd'\nrun = 'ls'\n\
         left_behind = 'kill'",
        &[],
    ),
    (
        "phases without a channel",
        "name = 'x'\ninspect = ['ls']\n[[phase]]\nname = 'cpu'\nrun = 'ls'",
        &["sampling.channels=[]"],
    ),
    ("text for phases in --set", "name = 'x'", &["phase=ls"]),
    (
        "wrong parameters",
        "name = 'x'\n[kvm]\nhalt_poll_ns = 0.5\n\"a b\" = 1\n[kvm_intel]\nept = ''",
        &["kvm_amd.npt='0 1'"],
    ),
    ("unknown module", "name = 'x'\n[kvm_intell]\nept = 0", &[]),
    (
        "several",
        "[guest]\nmachine = 'q53'\nvcpus = 17\n[deadlines]\nexchange = '30'",
        &["host.memory=x"],
    ),
    (
        "several unreadable",
        "name = 5",
        &["guest.machin=pc", "guest"],
    ),
];

#[test]
fn error_texts() {
    let mut catalogue = String::new();
    for (title, experiment, sets) in WRONG {
        let dir = project(experiment);
        let error = load_in(&dir, sets).expect_err(title);
        render(&mut catalogue, title, &error, &dir);
    }
    let dir = project("");
    let missing =
        load(Some(Path::new("none.toml")), &[], dir.path(), &[]).expect_err("no such file");
    render(&mut catalogue, "no such file", &missing, &dir);
    insta::assert_snapshot!(catalogue);
}

fn render(catalogue: &mut String, title: &str, error: &Error, dir: &TempDir) {
    assert!(matches!(error, Error::Config { .. }), "{title}: {error:?}");
    let text = format!("# {title}\n{error}\n  cure: {}\n\n", error.cure());
    let text = text.replace(&*dir.path().to_string_lossy(), "<project>");
    catalogue.write_str(&text).expect("a string takes all");
}
