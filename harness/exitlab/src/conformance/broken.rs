//! A trial that broke off, or never began.

use std::path::{Path, PathBuf};

use super::report::Report;
use exitlab_base::error::Error;
use exitlab_kernel::look::Unfit;
use exitlab_model::failure::FailureKind;
use exitlab_model::hindrance::Hindrance;

/// Why, and what was judged until then.
#[derive(Debug)]
pub struct Broken {
    /// Why.
    pub why: Why,
    /// What was judged; none of a host that was never begun.
    pub report: Option<Report>,
}

/// Why a trial broke off.
#[derive(Debug)]
pub enum Why {
    /// The image cannot be tried, by what it says itself.
    Unfit(PathBuf, Unfit),
    /// What failed, and what the agent says of it if it was the agent.
    Failed(Error, Option<FailureKind>),
}

impl From<Error> for Box<Broken> {
    fn from(error: Error) -> Box<Broken> {
        Box::new(Broken {
            why: Why::Failed(error, None),
            report: None,
        })
    }
}

impl Broken {
    /// Of an image that cannot be tried.
    pub(super) fn unfit(image: &Path, unfit: Unfit) -> Box<Broken> {
        Box::new(Broken {
            why: Why::Unfit(image.to_owned(), unfit),
            report: None,
        })
    }
}

impl From<Box<Broken>> for Error {
    /// As the one kernel of a command has it.
    fn from(broken: Box<Broken>) -> Error {
        match broken.why {
            Why::Failed(error, _) => error,
            Why::Unfit(image, unfit) => of_unfit(&image, unfit),
        }
    }
}

/// A file that is no kernel is a wrong argument. A kernel that has no KVM is a kernel, and its
/// trial cannot be made.
fn of_unfit(image: &Path, Unfit { hindrance, seen }: Unfit) -> Error {
    let image = image.display();
    let cure = hindrance.cure().to_owned();
    match hindrance {
        Hindrance::NoKvm
        | Hindrance::KvmModules
        | Hindrance::OtherVendor
        | Hindrance::VirtualizationOff => Error::Experiment {
            stage: "kernel".to_owned(),
            message: format!("{image} cannot be tried: {seen}"),
            tail: Vec::new(),
            cure,
        },
        Hindrance::NoKernel => Error::Config {
            message: format!("kernel.source: {image} is no bzImage: {seen}"),
            cure,
        },
        _ => Error::Config {
            message: format!("kernel.source: {image}: {seen}"),
            cure,
        },
    }
}
