//! What can be done to the view.

/// The order of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// The most exits in the interval first.
    Rate,
    /// The most exits since the beginning first.
    Count,
    /// By number.
    Number,
}

/// What can be done to the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Ends watching.
    Quit,
    /// Stops following or playing, or goes on.
    Pause,
    /// The sample before.
    Back,
    /// The sample after.
    Forward,
    /// The first sample.
    First,
    /// The last one, and those that come.
    Last,
    /// The next order of rows.
    Sort,
    /// Rows without exits too, or not.
    All,
    /// Compares with the interval that is shown, or no more.
    Baseline,
    /// The row above.
    Up,
    /// The row below.
    Down,
    /// Shows what lies below the chosen reason, or no more.
    Open,
    /// The next vCPU alone; after the last one all of them.
    Vcpu,
    /// Begins to write a filter.
    Filter,
    /// A character of the filter.
    Write(char),
    /// Takes the last character of the filter away.
    Erase,
    /// The filter is written.
    Done,
    /// No filter.
    Clear,
}
