//! Exit-reason tables, read from `kernel/exit-reasons/*.csv`: the same files from
//! which the kernel's tables come.
