//! The doctor on machines made for the purpose.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;
use exitlab_base::inherited::Limits;
use exitlab_base::need::Search;
use exitlab_config::load;

/// What a machine has that lacks nothing for the built-in experiment.
const COMPLETE: &[&str] = &[
    "/usr/bin/ssh",
    "/usr/bin/apt-get",
    "/usr/bin/bochs-bin",
    "/usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_sdl2_gui.so",
    "/usr/share/bochs/BIOS-bochs-latest",
    "/usr/share/vgabios/vgabios.bin",
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/bin/qemu-system-x86_64",
    "/usr/share/seabios/bios-256k.bin",
    "/usr/share/qemu/linuxboot_dma.bin",
    "/usr/share/qemu/pvh.bin",
    "/usr/share/qemu/kvmvapic.bin",
    "/usr/bin/gcc",
    "/usr/include/stdio.h",
    "/usr/include/libelf.h",
    "/usr/bin/as",
    "/usr/bin/ld",
    "/usr/bin/make",
    "/usr/bin/flex",
    "/usr/bin/bison",
    "/usr/bin/bc",
    "/usr/bin/perl",
    "/usr/bin/patch",
    "/usr/bin/lz4",
    "/usr/src/linux-source-6.12.tar.xz",
    "/usr/bin/tar",
    "/usr/bin/xz",
    "/usr/bin/mkfs.erofs",
    "/usr/bin/xorriso",
    "/usr/lib/ISOLINUX/isolinux.bin",
    "/usr/lib/syslinux/modules/bios/ldlinux.c32",
    "/lib64/ld-linux-x86-64.so.2",
    "/usr/bin/busybox",
    "/usr/sbin/dropbear",
];

/// A machine with the complete one's files, except where `lacks`.
fn machine(lacks: impl Fn(&str) -> bool) -> (TempDir, System) {
    let dir = TempDir::new().expect("a temporary directory");
    // A static program: an ELF header without segments.
    let mut program = b"\x7fELF\x02\x01".to_vec();
    program.resize(64, 0);
    let write = |path: &str, content: &[u8]| {
        let path = dir.path().join(&path[1..]);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("create");
        std::fs::write(&path, content).expect("write");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("chmod");
    };
    for path in COMPLETE.iter().filter(|path| !lacks(path)) {
        write(path, &program);
    }
    write(
        "/proc/meminfo",
        b"MemTotal:        4028440 kB\nMemFree:  1 kB\n",
    );
    let system = System {
        search: Search {
            root: dir.path().to_owned(),
            programs: ["/usr/bin", "/usr/sbin"].map(Into::into).into(),
        },
        cache: "/home/you/.cache/exitlab".into(),
        cache_writable: true,
        cache_filled: false,
        free_mib: Some(20_000),
        superuser: false,
        kvm: Ok(()),
        limits: Limits::default(),
        qemu_says: "QEMU emulator version 7.2.22 (Debian)".to_owned(),
    };
    (dir, system)
}

fn built_in(sets: &[&str]) -> Plan {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    load(None, &sets, Path::new("/"), &[]).expect("the built-in experiment")
}

#[test]
fn nothing_is_missing() {
    let (_dir, system) = machine(|_| false);
    let report = check_on(&system, &built_in(&[]));
    insta::assert_snapshot!(report.render());
    report.require().expect("nothing is missing");
}

#[test]
fn some_is_missing() {
    let lacks = ["bochs", "busybox", "linux-source", "isolinux", "qemu/"];
    let (dir, mut system) = machine(|path| lacks.iter().any(|lack| path.contains(lack)));
    (system.free_mib, system.cache_writable) = (Some(5000), false);
    // The other busybox of Debian is dynamically linked.
    let busybox = dir.path().join("usr/bin/busybox");
    std::fs::write(&busybox, "#!").expect("write");
    std::fs::set_permissions(&busybox, PermissionsExt::from_mode(0o755)).expect("chmod");
    let report = check_on(&system, &built_in(&[]));
    insta::assert_snapshot!("some_is_missing", report.render());
    let error = report.require().expect_err("some is missing");
    assert_eq!(
        error.exit_code(),
        exitlab_base::error::exit_code::PREREQUISITE
    );
    insta::assert_snapshot!(
        "some_is_missing_error",
        format!("{error}\ncure: {}", error.cure())
    );
}

#[test]
fn root_needs_no_sudo_and_other_systems_no_apt() {
    let (_dir, mut system) = machine(|path| path.ends_with("xorriso"));
    let plan = built_in(&[]);
    let cure = |system: &System| check_on(system, &plan).cure();
    assert_eq!(
        cure(&system),
        "sudo apt-get install --no-install-recommends xorriso"
    );
    system.superuser = true;
    assert_eq!(
        cure(&system),
        "apt-get install --no-install-recommends xorriso"
    );
    let (_dir, system) = machine(|path| path.ends_with("xorriso") || path.ends_with("apt-get"));
    assert_eq!(
        cure(&system),
        "install what is missing; Debian's packages for it are: xorriso"
    );
}

#[test]
fn the_plan_decides_what_is_needed() {
    let (_dir, mut system) = machine(|path| path.ends_with("bios-256k.bin"));
    let missing = |system: &System, sets: &[&str]| -> Vec<String> {
        let report = check_on(system, &built_in(sets));
        report
            .missing()
            .map(|missing| missing.what.clone())
            .collect()
    };
    assert_eq!(
        missing(&system, &["guest.machine=microvm"]),
        ["bios-microvm.bin"]
    );
    assert_eq!(
        missing(&system, &["host.memory=8G"])[1..],
        ["8960 MiB of memory (there are 3934)"]
    );
    assert_eq!(
        missing(&system, &["guest.image=debian"])[1..],
        ["mmdebstrap", "newuidmap", "mksquashfs"]
    );
    // A kernel that is built already needs less room.
    (system.free_mib, system.cache_filled) = (Some(5000), true);
    assert_eq!(missing(&system, &[]), ["bios-256k.bin"]);
}

#[test]
fn what_a_run_would_only_meet_later_is_refused_before_it() {
    let (dir, mut system) = machine(|_| false);
    let lacks = |system: &System| {
        let lacks = check_on(system, &built_in(&["platform=tcg-svm"])).require();
        lacks.map_or_else(|e| format!("{e}\ncure: {}", e.cure()), |()| String::new())
    };
    assert_eq!(lacks(&system), "");
    system.cache = "/home/you/my cache:old".into();
    system.qemu_says = "QEMU emulator version 6.2.0 (Ubuntu)".to_owned();
    system.limits = Limits {
        files: Some(20),
        file_mib: Some(100),
        memory_mib: None,
    };
    let gcc = dir.path().join("usr/bin/gcc");
    std::fs::set_permissions(gcc, PermissionsExt::from_mode(0o644)).expect("chmod");
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("create");
        std::fs::write(path, text).expect("write");
    };
    write("proc/self/cgroup", "0::/\n");
    write(
        "proc/self/mountinfo",
        "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
    );
    write("sys/fs/cgroup/memory.max", "1073741824\n");
    insta::assert_snapshot!(lacks(&system), @r"
        missing:
          gcc (/usr/bin/gcc may not be executed): compiles the kernel
          cache path without ' ': kernel build
          1792 MiB of memory (there are 1024): holds host and guest
          64 open files (ulimit -n is 20), files of 512 MiB (ulimit -f allows 100): emulator, build and results
          QEMU 7.1 (is 6.2): tells KVM's statistics
        cure: gcc: see to /usr/bin/gcc: it may not be executed
          choose a cache directory with a plain path with --cache: letters, digits and /._-+,=@~ (make and Kbuild take spaces, colons and quotes for something else)
          use a machine or container with 1792 MiB of memory, or a smaller host.memory or guest.memory
          limits: raise them in the shell that starts exitlab, with ulimit -n and ulimit -f
          QEMU: install 7.1 or newer
        ");
}

#[test]
fn a_platform_needs_its_own_emulator_only() {
    let of_bochs = [
        "bochs", "vgabios", "faketime", "erofs", "xorriso", "linux.", "ldlinux",
    ];
    let (_dir, system) = machine(|path| of_bochs.iter().any(|part| path.contains(part)));
    let missing = |platform: &str| check_on(&system, &built_in(&[platform])).missing().count();
    assert_eq!(missing("platform=tcg-svm"), 0);
    assert_eq!(missing("platform=bochs-vmx"), 9);

    let (_dir, system) = machine(|path| path.contains("qemu") || path.contains("seabios"));
    let plan = built_in(&["platform=tcg-svm", "guest.machine=microvm"]);
    let report = check_on(&system, &plan);
    insta::assert_snapshot!(report.render());
}

/// A machine that lacks no program, with a processor of these flags and a module's
/// parameter.
fn hardware(
    flags: &str,
    parameter: Option<(&str, &str)>,
    kvm: Result<(), ErrorKind>,
) -> (TempDir, System) {
    let (dir, mut system) = machine(|_| false);
    let cpuinfo = format!("processor : 0\nflags\t\t: fpu {flags} msr\nbugs :\n");
    std::fs::write(dir.path().join("proc/cpuinfo"), cpuinfo).expect("write");
    if let Some((module, value)) = parameter {
        let parameters = dir.path().join(format!("sys/module/{module}/parameters"));
        std::fs::create_dir_all(&parameters).expect("create");
        std::fs::write(parameters.join("nested"), format!("{value}\n")).expect("write");
    }
    system.kvm = kvm.map_err(Into::into);
    (dir, system)
}

/// Has the machine run a kernel with the census.
fn with_census(dir: &TempDir) {
    let parameters = dir.path().join("sys/module/kvm/parameters");
    std::fs::create_dir_all(&parameters).expect("create");
    std::fs::write(parameters.join("exit_census_cycles"), "N\n").expect("write");
}

#[test]
fn this_machine_is_a_host_if_its_kvm_counts() {
    let plan = built_in(&["platform=local"]);
    let (dir, system) = hardware("svm", None, Ok(()));
    let lacks = check_on(&system, &plan).require().expect_err("no census");
    insta::assert_snapshot!(format!("{lacks} | {}", lacks.cure()));
    with_census(&dir);
    check_on(&system, &plan)
        .require()
        .expect("nothing is missing");
}

#[test]
fn each_thing_that_nested_lacks_is_named_with_its_own_cure() {
    let plan = built_in(&["platform=nested"]);
    let lacks = |(_dir, system): (TempDir, System)| {
        let error = check_on(&system, &plan).require();
        error.map_err(|error| format!("{error} | {}", error.cure()))
    };
    let on = |flags, parameter| lacks(hardware(flags, Some(parameter), Ok(())));
    for value in ["Y", "1"] {
        assert_eq!(on("vmx", ("kvm_intel", value)), Ok(()));
        assert_eq!(on("svm", ("kvm_amd", value)), Ok(()));
    }
    let device = |kind| lacks(hardware("vmx", Some(("kvm_intel", "Y")), Err(kind)));
    let cases = [
        on("vmx", ("kvm_intel", "N")),
        on("svm", ("kvm_amd", "0")),
        lacks(hardware("sse2", None, Ok(()))),
        lacks(hardware("svm", None, Ok(()))),
        lacks(hardware("vmx", None, Err(ErrorKind::NotFound))),
        device(ErrorKind::PermissionDenied),
        device(ErrorKind::Other),
    ];
    let cases = cases.map(|case| case.expect_err("something is missing"));
    insta::assert_snapshot!(cases.join("\n\n"));
    let tried = built_in(&["platform=nested", "host.accelerator=tcg"]);
    let (_dir, system) = hardware("sse2", None, Err(ErrorKind::NotFound));
    check_on(&system, &tried)
        .require()
        .expect("tcg needs none of it");
}

#[test]
fn platforms_are_told_in_100_columns() {
    let table = |system: &System, sets: &[&str]| {
        let text = platforms::render(system, &built_in(sets));
        assert!(
            text.lines().all(|line| line.chars().count() <= 100),
            "{text}"
        );
        text
    };
    let (dir, system) = hardware("svm", Some(("kvm_amd", "1")), Ok(()));
    with_census(&dir);
    assert_eq!(platforms::usable(&system), PlatformKind::ALL);
    insta::assert_snapshot!("platforms_all_usable", table(&system, &["platform=auto"]));

    let (_dir, mut system) = machine(|path| path.contains("bochs") || path.contains("isolinux"));
    system.kvm = Err(ErrorKind::NotFound.into());
    let usable = [PlatformKind::TcgSvm, PlatformKind::Ssh];
    assert_eq!(platforms::usable(&system), usable);
    insta::assert_snapshot!(
        "platforms_some_usable",
        table(&system, &["platform=tcg-svm"])
    );
}

#[test]
fn this_machine_can_be_asked() {
    let report = check(&built_in(&[]), Path::new("no/such/cache"));
    assert!(
        report
            .prerequisites()
            .iter()
            .any(|p| p.what == "writable cache")
    );
}
