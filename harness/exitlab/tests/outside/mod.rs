//! What comes from elsewhere and means no good: files that lead outside, and words.

mod files;
mod words;
