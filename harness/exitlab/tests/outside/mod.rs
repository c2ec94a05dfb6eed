//! What comes from elsewhere: files that lead outside, words that mean no good, and records that
//! are shown as pages.

mod files;
mod report;
mod words;
