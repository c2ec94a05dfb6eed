//! Kernels for machines that exitlab does not boot: a package that boots and counts, and
//! KVM's modules in a kernel that Debian built.
//!
//! The kernels come from the cache, where `scripts/test` has put them. Debian's kernel
//! lies where `scripts/install-prerequisites --tests` has put it: it is not installed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use exitlab::conformance::Report;
use exitlab_base::error::exit_code;
use exitlab_model::rule::{Rule, Verdict};
use exitlab_model::stream::{Reader, Taken};
use serde_json::Value;

use crate::rig::{REPOSITORY, built};
use crate::support::{Outcome, Place, exitlab, run};

/// What a command prints, which must end well.
fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {args:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs exitlab, which must end well.
fn good(args: &[&str]) -> Outcome {
    let outcome = run(args);
    assert_eq!(
        outcome.code,
        Some(exit_code::SUCCESS.into()),
        "{}",
        outcome.stderr
    );
    outcome
}

/// The lines of `text` that are a path with this end.
fn paths(text: &str, end: &str) -> Vec<PathBuf> {
    let lines = text.lines().map(str::trim);
    let paths = lines.filter(|line| line.starts_with('/') && line.ends_with(end));
    paths.map(PathBuf::from).collect()
}

/// The file `name` of a package, written to `to`.
fn unpack(package: &Path, name: &str, to: &Path) {
    let script = "set -o pipefail; dpkg-deb --fsys-tarfile \"$0\" | tar -xO \"$1\" > \"$2\"";
    let words = [package.to_str().unwrap(), name, to.to_str().unwrap()];
    output("bash", &[&["-c", script], &words[..]].concat());
}

/// The configuration of the kernel that exitlab builds for its experiments.
fn own_configuration() -> String {
    let image = built(&["kernel"]);
    image.with_file_name("config").to_str().unwrap().to_owned()
}

#[test]
fn a_kernel_to_be_installed_is_a_package_that_boots_and_counts() {
    let place = Place::new();
    let config = own_configuration();
    let args = ["kernel", "install", "--form", "debian", "--config", &config];
    let told = good(&args).stdout;
    let [package] = &paths(&told, ".deb")[..] else {
        panic!("one package, the kernel's: {told}");
    };
    let release = told.split_whitespace().nth(1).unwrap();
    assert!(release.ends_with("-exitlab"), "{told}");
    assert!(
        told.contains(&format!("dpkg -i {}", package.display())),
        "{told}"
    );
    assert!(
        told.contains(&format!("choose Linux {release} in the boot menu")),
        "{told}"
    );

    package_holds(package, release);

    // It was told, not done.
    assert!(!Path::new(&format!("/boot/vmlinuz-{release}")).exists());
    // The second time it lies there.
    let again = good(&args);
    assert_eq!(again.stdout, told);
    assert!(!again.stderr.contains("compile"), "{}", again.stderr);

    let image = place.path("vmlinuz");
    unpack(package, &format!("./boot/vmlinuz-{release}"), &image);
    every_rule_holds_for(&image, &place);
    other_systems_get_files(&config, release, &image);
}

/// Name and architecture, and every file that a boot menu needs.
fn package_holds(package: &Path, release: &str) {
    let field = |name| output("dpkg-deb", &["--field", package.to_str().unwrap(), name]);
    assert_eq!(field("Package").trim(), format!("linux-image-{release}"));
    assert_eq!(field("Architecture").trim(), "amd64");
    let files = output("dpkg-deb", &["-c", package.to_str().unwrap()]);
    for name in ["vmlinuz", "System.map", "config"] {
        let path = format!("./boot/{name}-{release}\n");
        assert!(files.contains(&path), "no {path} in {files}");
    }
    assert!(files.contains(&format!("./lib/modules/{release}/modules.builtin\n")));
}

/// The kernel boots, and its census is right.
fn every_rule_holds_for(image: &Path, place: &Place) {
    let judged: Outcome = exitlab()
        .args(["conformance", "--platform", "tcg-svm", "--format", "json"])
        .arg("--kernel")
        .arg(image)
        .arg("--out")
        .arg(place.path("out"))
        .output()
        .unwrap()
        .into();
    let report: Report = serde_json::from_str(&judged.stdout)
        .unwrap_or_else(|e| panic!("no report ({e}):\n{}", judged.stderr));
    let holds = |verdict: &Verdict| matches!(verdict, Verdict::Holds { .. });
    let held = report.findings.iter().filter(|f| holds(&f.verdict));
    let held: Vec<Rule> = held.map(|finding| finding.rule).collect();
    assert_eq!(held, Rule::ALL, "{}", report.for_people());
}

/// The same kernel as files.
fn other_systems_get_files(config: &str, release: &str, image: &Path) {
    let args = [
        "kernel",
        "install",
        "--form",
        "directory",
        "--config",
        config,
    ];
    let told = good(&args).stdout;
    assert!(
        told.contains(&format!("installkernel {release} ")),
        "{told}"
    );
    let dir = &paths(&told, release)[0];
    let read = |path: &Path| std::fs::read(path).unwrap();
    let boot = dir.join("boot");
    assert!(read(&boot.join(format!("vmlinuz-{release}"))) == read(image));
    assert!(boot.join(format!("System.map-{release}")).is_file());
}

/// Debian's kernel of the version of linux-source-6.1: its headers, and its package.
pub(super) fn debians_kernel() -> (PathBuf, PathBuf, String) {
    let version = output(
        "dpkg-query",
        &["-W", "-f", "${Version}", "linux-source-6.1"],
    );
    let of_version = |dir: &PathBuf| {
        let id = std::fs::read_to_string(dir.join("include/generated/package.h"));
        id.is_ok_and(|id| id.contains(&format!(" Debian {version}\"")))
    };
    let headers = std::fs::read_dir("/usr/src").unwrap();
    let headers = headers.map(|entry| entry.unwrap().path()).find(of_version);
    let headers = headers.expect("headers of linux-source-6.1's version: install-prerequisites");
    let name = headers.file_name().unwrap().to_str().unwrap();
    let release = name.strip_prefix("linux-headers-").unwrap().to_owned();
    let packages = Path::new(REPOSITORY).join("target/debian-kernel");
    let package = packages.join(format!("linux-image-{release}.deb"));
    assert!(
        package.is_file(),
        "{} is missing: install-prerequisites",
        package.display()
    );
    (headers, package, release)
}

/// The default experiment, on the kernel that Debian built, as host and as guest: its KVM, its
/// disks' and its network's drivers are modules.
#[test]
fn a_kernel_that_debian_built_is_counted_as_it_is() {
    let place = Place::new();
    let (_, package, release) = debians_kernel();
    let source = format!("kernel.source=package:{}", package.display());
    let out = place.path("out");
    let args = ["run", "--platform", "tcg-svm", "--set", &source, "--out"];
    // It ends well only if every promise holds: the tracepoint's sum is KVM's own count.
    good(&[&args[..], &[out.to_str().unwrap()]].concat());
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    let record: Value = serde_json::from_str(&read("run.json")).unwrap();
    assert!(read("events.jsonl").contains(&format!("\"kernel\":\"{release}\"")));
    let inputs = &record["provenance"]["kernel_inputs"][0];
    let digest = blake3::hash(&std::fs::read(&package).unwrap());
    assert_eq!(inputs[0], "package file");
    assert_eq!(inputs[1], digest.to_hex().as_str());
    for sample in record["samples"].as_array().unwrap() {
        let counts = sample["trace"]["counts"].as_array().unwrap();
        let sum: u64 = counts.iter().map(|count| count.as_u64().unwrap()).sum();
        let own = &sample["trace"]["exits"];
        assert_eq!(
            sum + sample["trace"]["other"].as_u64().unwrap(),
            own["least"]
        );
        assert!(sum > 1000, "a guest that boots exits often: {sum}");
    }
}

#[test]
fn modules_count_in_a_kernel_that_debian_built() {
    let place = Place::new();
    let (headers, package, release) = debians_kernel();
    let told = good(&["kernel", "modules", "--headers", headers.to_str().unwrap()]).stdout;
    let modules: Vec<PathBuf> = ["kvm", "kvm-intel", "kvm-amd"]
        .iter()
        .map(|name| paths(&told, &format!("/{name}.ko"))[0].clone())
        .collect();
    assert!(
        told.contains(&format!("insmod {}", modules[0].display())),
        "{told}"
    );

    // Every symbol that a module takes from the kernel or its modules is of the version
    // that they have. KVM's own come from the KVM built here.
    let symbols = std::fs::read_to_string(headers.join("Module.symvers")).unwrap();
    let kernel: std::collections::HashMap<&str, &str> = symbols
        .lines()
        .filter_map(|line| {
            let mut fields = line.split('\t');
            let (version, name, owner) = (fields.next()?, fields.next()?, fields.next()?);
            (owner != "arch/x86/kvm/kvm").then_some((name, version))
        })
        .collect();
    for module in &modules {
        let module = module.to_str().unwrap();
        let vermagic = output("modinfo", &["-F", "vermagic", module]);
        assert_eq!(vermagic.split_whitespace().next(), Some(release.as_str()));
        let versions = output("modprobe", &["--dump-modversions", module]);
        let mut compared = 0;
        for line in versions.lines() {
            let (version, name) = line.split_once('\t').unwrap();
            if let Some(theirs) = kernel.get(name.trim()) {
                assert_eq!(version, *theirs, "{name} of {module}");
                compared += 1;
            }
        }
        assert!(
            compared > 50,
            "{module} takes {compared} symbols from the kernel"
        );
    }

    let findings = judged_in(&place, &package, &release, &modules);
    let of = |name: &'static str| findings.iter().filter(move |event| event["event"] == name);
    let rules = of("found")
        .filter(|event| event["verdict"] == "holds")
        .count();
    assert_eq!(rules, Rule::ALL.len(), "{findings:#?}");
    assert_eq!(of("started").next().unwrap()["kernel"], release.as_str());
    assert_eq!(of("finished").count(), 1);
    place.assert_deserted();
}

/// Boots Debian's kernel with these modules on an emulated AMD processor, lets the agent
/// judge KVM there, and returns what it says.
fn judged_in(place: &Place, package: &Path, release: &str, modules: &[PathBuf]) -> Vec<Value> {
    const INIT: &str = "#!/bin/busybox sh\n\
        export PATH=/bin\n\
        busybox mount -t devtmpfs devtmpfs /dev\n\
        busybox mount -t proc proc /proc\n\
        busybox mount -t sysfs sysfs /sys\n\
        busybox mount -t tmpfs tmpfs /tmp\n\
        busybox mount -t tmpfs tmpfs /run\n\
        for module in irqbypass ccp kvm kvm-amd; do busybox insmod /$module.ko; done\n\
        busybox stty -F /dev/ttyS1 raw -echo\n\
        exitlab-agent --plan /order --events /dev/ttyS1\n\
        busybox poweroff -f\n";
    place.write("tree/init", INIT);
    place.write("tree/order", r#"{"trial":{"leaf_map":1,"sdm":null}}"#);
    for dir in ["bin", "dev", "proc", "sys", "tmp", "run"] {
        std::fs::create_dir_all(place.path("tree").join(dir)).unwrap();
    }
    let put = |from: &Path, name: &str| {
        std::fs::copy(from, place.path("tree").join(name)).unwrap();
    };
    put(Path::new("/bin/busybox"), "bin/busybox");
    let agent = Path::new(env!("CARGO_BIN_EXE_exitlab")).with_file_name("exitlab-agent");
    put(&agent, "bin/exitlab-agent");
    for module in modules {
        put(module, module.file_name().unwrap().to_str().unwrap());
    }
    // What KVM's modules need, as Debian built it.
    let theirs = format!("./lib/modules/{release}/kernel");
    for (dir, name) in [
        ("virt/lib", "irqbypass.ko"),
        ("drivers/crypto/ccp", "ccp.ko"),
    ] {
        let to = place.path("tree").join(name);
        unpack(package, &format!("{theirs}/{dir}/{name}"), &to);
    }
    unpack(
        package,
        &format!("./boot/vmlinuz-{release}"),
        &place.path("vmlinuz"),
    );
    let tree = place.path("tree");
    let archive = "set -o pipefail; cd \"$0\"; chmod 755 init; \
                   find . | cpio --quiet -o -H newc > ../initramfs";
    output("bash", &["-c", archive, tree.to_str().unwrap()]);

    let arguments = "-accel tcg,thread=single -icount shift=2,sleep=off -cpu EPYC,+svm -m 1024M \
        -nodefaults -display none -no-reboot -kernel vmlinuz -initrd initramfs \
        -chardev file,id=console,path=console -serial chardev:console \
        -chardev file,id=events,path=events -serial chardev:events";
    let qemu = Command::new("qemu-system-x86_64")
        .args(arguments.split_whitespace())
        .args(["-append", "console=ttyS0 noapictimer panic=-1"])
        .current_dir(place.path(""))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let console = || std::fs::read_to_string(place.path("console")).unwrap_or_default();
    assert!(
        Emulator(qemu).ends_within(Duration::from_secs(300)),
        "{}",
        console()
    );
    let events = std::fs::read_to_string(place.path("events")).unwrap();
    let mut stream = Reader::default();
    let mut parse = |line: &str| match stream.take(line).unwrap() {
        Taken::Event(event) => Some(serde_json::to_value(event).unwrap()),
        Taken::Noise | Taken::Marker => None,
    };
    let events: Vec<Value> = events.lines().filter_map(&mut parse).collect();
    assert!(!events.is_empty(), "{}", console());
    events
}

/// An emulator that does not outlive its test.
struct Emulator(Child);

impl Emulator {
    fn ends_within(mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if self.0.try_wait().unwrap().is_some() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn modules_are_not_built_for_what_they_do_not_fit() {
    let (headers, _, release) = debians_kernel();
    let headers = headers.to_str().unwrap();
    let source = "debian:linux-source-6.12";
    run(&[
        "kernel",
        "modules",
        "--headers",
        headers,
        "--source",
        source,
    ])
    .assert_failed(
        exit_code::BUILD.into(),
        &[
            "linux-source-6.12 is of version 6.12.",
            &release,
            "was built from 6.1.",
        ],
    );
    run(&["kernel", "modules", "--release", "0.0-none"]).assert_failed(
        exit_code::CONFIG.into(),
        &[
            "/lib/modules/0.0-none/build holds no kernel headers",
            "--headers",
        ],
    );
    let image = "image:/bin/true";
    run(&["kernel", "modules", "--headers", headers, "--source", image])
        .assert_failed(exit_code::CONFIG.into(), &["/bin/true is built already"]);
}

#[test]
fn a_configuration_that_cannot_count_is_refused() {
    let place = Place::new();
    let config = place.write("config", "CONFIG_64BIT=y\n# CONFIG_KVM is not set\n");
    run(&["kernel", "install", "--config", config.to_str().unwrap()]).assert_failed(
        exit_code::CONFIG.into(),
        &["this kernel has no KVM", "--config"],
    );
}
