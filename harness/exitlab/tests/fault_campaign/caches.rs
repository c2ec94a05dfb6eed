//! Faults of the cache: files that are not what was built, and a disk without room. Whatever
//! it is, the next run heals it. The cache of this user stays as it is.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::aftermath::{self, End};
use crate::damage;
use crate::dice::Dice;
use crate::fault::Seen;
use crate::field::Field;
use crate::run::{Run, in_own_mounts};

/// What a run of the campaign takes from the cache.
const PARTS: [&str; 3] = ["kernel", "guest-image", "host-image"];
/// How many of them, counted from the end, can be made again within a campaign.
const MADE_SOON: usize = 2;

/// Another cache over that of this user, `$1`: what is written lies in `$2`, or in memory
/// where no overlay can lie on that file system. As in a container, a directory of the cache
/// below cannot be moved. The file `$3` in it becomes as `$4` is.
const OVER: &str = r#"
lay() {
    mkdir -p "$2/upper" "$2/work" &&
    mount -t overlay overlay -o userxattr,lowerdir="$1",upperdir="$2/upper",workdir="$2/work" "$1"
}
{ lay "$1" "$2" || { mount -t tmpfs tmpfs "$2" && lay "$1" "$2"; }; } &&
cat "$4" > "$1/$3" && shift 4 && exec "$@"
"#;

/// A cache that is a copy of `$1` without `$2`, on a file system of its own at `$3`; after `$8`
/// seconds `$4` KiB of room are left there. What is run says its words to `$5`, and its exit
/// code is written to `$6`; then there is room again. No holes: in memory, reading one takes room.
const NO_ROOM: &str = r#"
room() { mount -o remount,size="$1" "$cache"; }
fill() { sleep "$1" && room $(($(du -sk "$cache" | cut -f 1) + $2))k; }
cache=$3 words=$5 code=$6 out=$7
mount -t tmpfs -o size=3g tmpfs "$cache" && cp -a --sparse=never "$1/." "$cache" || exit 90
rm -rf "$cache/exitlab/$2"
fill "$8" "$4" &
shift 8
"$@" --out "$out-full" 2> "$words"
echo $? > "$code"
wait && room 3g || exit 91
exec "$@" --out "$out"
"#;

/// Something in the cache was changed by whatever changes bytes on disks: in a copy of the
/// cache, or in a layer over it.
pub fn damaged(field: &Field, number: u64, layers: bool, dice: &mut Dice) -> Seen {
    let cache = cache_dir();
    let parts = parts(field);
    let part = &parts[PARTS.len() - 1 - dice.below(MADE_SOON)];
    let files = damage::files_of(&cache.join(part));
    // A neighbour as well: what was written down about it is no safer than itself.
    let victim = files[dice.below(files.len())].clone();
    let name = victim.strip_prefix(&cache).unwrap();
    let mut bytes = fs::read(&victim).unwrap();
    let how = damage::bytes(&mut bytes, dice);
    let own = field.path("own");
    let _ = fs::remove_dir_all(&own);
    fs::create_dir(&own).unwrap();
    let command = match layers {
        true => {
            let as_it_is = field.path("damaged");
            fs::write(&as_it_is, bytes).unwrap();
            let mut command = in_own_mounts(&field.path(""), OVER);
            command.arg(&cache).arg(&own).arg(name).arg(&as_it_is);
            command.arg(env!("CARGO_BIN_EXE_exitlab"));
            command
        }
        false => {
            copy(&cache, &parts, &own);
            let place = own.join("exitlab").join(name);
            // It shares its bytes with the cache of this user.
            fs::remove_file(&place).unwrap();
            fs::write(&place, bytes).unwrap();
            let mut command = field.exitlab();
            command.env("XDG_CACHE_HOME", &own);
            command
        }
    };
    let mut seen = Run::start(field, command, field.out(number), "one").end_well(field);
    seen.ended = format!("{how} in {}: {}", name.display(), seen.ended);
    let _ = fs::remove_dir_all(&own);
    seen
}

/// A disk that becomes full while what is missing in the cache is made again; then it is not.
pub fn full(field: &Field, number: u64, kib: usize, seconds: f64, dice: &mut Dice) -> Seen {
    let parts = parts(field);
    let missing = &parts[PARTS.len() - 1 - dice.below(MADE_SOON)];
    let [own, cache, said, code] = ["own", "cache", "said-full", "code"].map(|n| field.path(n));
    for dir in [&own, &cache] {
        let _ = fs::remove_dir_all(dir);
        fs::create_dir(dir).unwrap();
    }
    copy(&cache_dir(), &parts, &own);
    let out = field.out(number);
    let mut command = in_own_mounts(&field.path(""), NO_ROOM);
    command.env("XDG_CACHE_HOME", &cache);
    command
        .arg(&own)
        .arg(missing)
        .arg(&cache)
        .arg(kib.to_string());
    command
        .arg(&said)
        .arg(&code)
        .arg(&out)
        .arg(format!("{seconds:.2}"));
    command.arg(env!("CARGO_BIN_EXE_exitlab")).arg("run");
    command.args(crate::field::WORDS);
    let mut seen = Run::of_words(field, command, out.clone(), "one").end_well(field);

    let code = fs::read_to_string(&code).ok();
    let code: Option<i32> = code.and_then(|text| text.trim().parse().ok());
    let said = fs::read(&said).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    match code {
        // As a shell has it: a signal is 128 and more.
        Some(code) => {
            let end = End::Status(ExitStatus::from_raw(code << 8));
            let full = out.with_file_name(format!("{number}-full"));
            seen.wrong
                .extend(aftermath::of_run(field, &full, &end, &said, false));
            let told = ["No space left", "MiB of disk"]
                .iter()
                .any(|words| said.contains(words));
            let told = told || code == 0;
            let last = aftermath::last(&said);
            seen.wrong
                .extend((!told).then(|| format!("a full disk is not told: {last}")));
            seen.ended = format!("{code}, without {}; then {}", missing.display(), seen.ended);
        }
        None => seen.wrong.push("it never came to the full disk".to_owned()),
    }
    for dir in [&own, &cache] {
        let _ = fs::remove_dir_all(dir);
    }
    seen
}

/// The artifacts of [`PARTS`], below the cache.
fn parts(field: &Field) -> Vec<PathBuf> {
    let cache = cache_dir();
    let part = |part: &&str| {
        let mut build = field.exitlab();
        build.args(["build", part, "--platform", "tcg-svm"]);
        build.args(["--set", "guest.machine=microvm"]);
        let output = build.stdout(Stdio::piped()).output().unwrap();
        let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        let path = path.canonicalize().unwrap();
        // A kind, and a key.
        let below = path.strip_prefix(&cache).unwrap().components();
        below.take(2).collect()
    };
    PARTS.iter().map(part).collect()
}

/// A cache below `to` with these parts: the same files by other names, if it lies on the same
/// file system.
fn copy(cache: &Path, parts: &[PathBuf], to: &Path) {
    for part in parts {
        let place = to.join("exitlab").join(part);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        let copied = |how: &str| {
            let mut cp = Command::new("cp");
            cp.arg(how).arg(cache.join(part)).arg(&place);
            cp.stderr(Stdio::null()).status().unwrap().success()
        };
        if !copied("-al") {
            let _ = fs::remove_dir_all(&place);
            assert!(copied("-a"), "no copy of {}", part.display());
        }
    }
}

fn cache_dir() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache");
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    cache.join("exitlab").canonicalize().unwrap()
}
