//! What `exitlab conformance` asks of a kernel.

use crate::cli::{ConformanceArgs, Profile};
use exitlab_base::error::{Error, Result};
use exitlab_model::order::TrialOrder;
use exitlab_model::reasons::{Isa, ReasonTable};

/// The order to judge a kernel whose host has that instruction set, if it is known.
pub fn order(args: &ConformanceArgs, isa: Option<Isa>) -> Result<TrialOrder> {
    require_known(args.sdm, isa)?;
    Ok(TrialOrder {
        leaf_map: args.leaf_map.unwrap_or(args.profile.leaf_map()),
        sdm: args.sdm,
        totals_only: args.profile == Profile::Totals,
        all_vms: args.profile != Profile::Census,
        quick: args.quick,
    })
}

/// Refuses a year of whose manual nothing is known. Which instruction set a real processor
/// has, is known only there: then either may know the year.
pub fn require_known(year: Option<u16>, isa: Option<Isa>) -> Result<()> {
    let Some(year) = year else { return Ok(()) };
    let tables = isa.map_or_else(|| vec![Isa::Vmx, Isa::Svm], |isa| vec![isa]);
    let tables: Vec<&ReasonTable> = tables.into_iter().map(ReasonTable::of).collect();
    if tables.iter().any(|table| table.knows(year)) {
        return Ok(());
    }
    let known = tables.iter().filter_map(|table| {
        let years = table.years();
        let (first, last) = (years.first()?, years.last()?);
        Some(format!("{first} to {last} ({})", table.isa().name()))
    });
    let known: Vec<String> = known.collect();
    Err(Error::Config {
        message: format!("--sdm {year}: which reasons that year's manual defined is not known"),
        cure: format!("choose a year from {}", known.join(", or ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(year: u16, isa: Option<Isa>) -> Option<String> {
        let error = require_known(Some(year), isa).err()?;
        Some(format!("{error}; {}", error.cure()))
    }

    #[test]
    fn a_year_that_no_table_tells_apart_is_refused_and_not_taken_for_another() {
        for year in 2020..=2025 {
            assert_eq!(refused(year, Some(Isa::Vmx)), None);
        }
        assert_eq!(refused(2020, None), None);
        let refusal = refused(2019, Some(Isa::Vmx)).expect("too early");
        assert!(
            refusal.ends_with("choose a year from 2020 to 2025 (VMX)"),
            "{refusal}"
        );
        let refusal = refused(2020, Some(Isa::Svm)).expect("too early");
        assert!(
            refusal.ends_with("choose a year from 2021 to 2024 (SVM)"),
            "{refusal}"
        );
        assert!(refused(2026, None).expect("too late").contains("(SVM)"));
        assert!(require_known(None, None).is_ok());
    }
}
