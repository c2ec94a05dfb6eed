//! `exitlab kernel`: builds for machines that exitlab does not boot, and says what to do
//! with what was built.

use std::path::{Path, PathBuf};

use crate::cli::ExperimentArgs;
use crate::cli::kernel::{InstallArgs, KernelCommand, ModulesArgs, PackageForm, PatchArgs};
use crate::doctor::{self, KernelBuild};
use crate::ui::Progress;
use crate::ui::Ui;
use exitlab_base::artifact::Cache;
use exitlab_base::error::{Error, Result};
use exitlab_kernel::base::Base;
use exitlab_kernel::deploy::{Steps, Target};
use exitlab_kernel::headers::Headers;
use exitlab_kernel::{census, modules, package};
use exitlab_model::plan::{KernelPackage, KernelSource, Plan};

use super::asked::{cache_dir, listen, load};
use super::told::print;

/// Runs one of the commands to its end.
pub async fn run(command: KernelCommand) -> Result<()> {
    match command {
        KernelCommand::Install(args) => install(args).await,
        KernelCommand::Modules(args) => build_modules(args).await,
        KernelCommand::Patch(args) => show_patch(args).await,
    }
}

async fn show_patch(args: PatchArgs) -> Result<()> {
    let tree = KernelSource::Tree(args.tree);
    let patch = listen()?.or(census::patch(&tree)).await?;
    print(&patch)
}

async fn install(args: InstallArgs) -> Result<()> {
    let plan = plan(args.experiment, args.sets, args.source)?;
    let base = match &args.config {
        Some(file) => Base::of_file(file)?,
        None => Base::running(Path::new("/"), &release())?,
    };
    let machine = Target::this_machine();
    let form = match args.form {
        Some(PackageForm::Debian) => package::Form::Debian,
        Some(PackageForm::Directory) => package::Form::Directory,
        None if machine.has_dpkg => package::Form::Debian,
        None => package::Form::Directory,
    };
    let dir = cache_dir(&args.cache)?;
    let build = KernelBuild::Whole {
        packages: form == package::Form::Debian,
        modules: base.has_modules(),
    };
    doctor::check_kernel_build(&plan.kernel.source, build, &dir).require()?;
    let cache = Cache::open(dir)?;

    let mut interrupt = listen()?;
    let mut ui = Ui::new(Progress::Auto, false);
    ui.stage(&format!("kernel of {}", base.from.display()));
    let note = |text: &str| ui.note(text);
    let work = package::build(&cache, &plan.kernel, &base, form, &note);
    let outcome = interrupt.or(work).await;
    ui.end(outcome.is_ok());
    let package = outcome?;

    let steps = Steps::to_install(&package, machine);
    if !args.yes {
        return print(&steps.told());
    }
    steps.run()?;
    print(&steps.told_after())
}

async fn build_modules(args: ModulesArgs) -> Result<()> {
    let release = args.release.unwrap_or_else(release);
    let headers = Headers::find(args.headers.as_deref(), &release)?;
    let debian = || format!("debian:linux-source-{}", headers.series());
    let source = args.source.unwrap_or_else(debian);
    let plan = plan(None, Vec::new(), Some(source))?;
    let dir = cache_dir(&args.cache)?;
    let build = KernelBuild::Modules {
        signed: headers.symbol("CONFIG_MODULE_SIG_FORMAT") == "y",
        typed: headers.symbol("CONFIG_DEBUG_INFO_BTF") == "y",
    };
    doctor::check_kernel_build(&plan.kernel.source, build, &dir).require()?;
    let cache = Cache::open(dir)?;

    let mut interrupt = listen()?;
    let mut ui = Ui::new(Progress::Auto, false);
    ui.stage(&format!("KVM's modules for {}", headers.release));
    let note = |text: &str| ui.note(text);
    let work = modules::build(&cache, &headers, &plan.kernel.source, &note);
    let outcome = interrupt.or(work).await;
    ui.end(outcome.is_ok());
    print(&Steps::to_load(&outcome?, Target::this_machine()).told())
}

/// The experiment whose section `[kernel]` counts; its platform does not.
fn plan(config: Option<PathBuf>, mut sets: Vec<String>, source: Option<String>) -> Result<Plan> {
    if let Some(source) = source {
        sets.push(format!("kernel.source={source}"));
    }
    let plan = load(&ExperimentArgs {
        config,
        sets,
        platform: None,
        host: None,
    })?;
    let ready = match &plan.kernel.source {
        KernelSource::Image(path) | KernelSource::Package(KernelPackage::File(path)) => {
            Some(path.display().to_string())
        }
        KernelSource::Package(KernelPackage::Named(name)) => Some(name.clone()),
        _ => None,
    };
    if let Some(ready) = ready {
        return Err(Error::Config {
            message: format!("kernel.source: {ready} is built already"),
            cure: "name a source: a Debian package such as debian:linux-source-6.12, a tree or a \
                   tarball"
                .into(),
        });
    }
    Ok(plan)
}

/// `uname -r` of this machine.
fn release() -> String {
    let name = rustix::system::uname();
    name.release().to_string_lossy().into_owned()
}
