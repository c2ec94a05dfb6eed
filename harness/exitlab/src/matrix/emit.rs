//! A matrix for somebody else's engine: the job array of Slurm, the matrix of GitHub Actions,
//! or JSON. Each job runs one part; `exitlab merge` puts the parts together.

use serde_json::json;

use exitlab_base::shell::quoted;
use exitlab_config::Matrix;

/// For whom a plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// A script for `sbatch`.
    Slurm,
    /// The value of a job's `strategy.matrix`.
    Github,
    /// Every cell, for programs.
    Json,
}

/// What is run: the words after `exitlab run`, as they were given.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The configuration and its `--set`s.
    pub words: &'a [String],
    /// How many parts.
    pub shards: u32,
    /// exitlab, as the jobs find it.
    pub exe: &'a str,
}

/// The text for an engine.
pub fn emit(engine: Engine, matrix: &Matrix, request: Request<'_>) -> String {
    match engine {
        Engine::Slurm => slurm(matrix, request),
        Engine::Github => github(request),
        Engine::Json => cells(matrix, request),
    }
}

fn slurm(matrix: &Matrix, request: Request<'_>) -> String {
    let Request { words, shards, exe } = request;
    let plans = matrix.cells.iter().map(|cell| &cell.plan);
    let memory = plans
        .clone()
        .map(|plan| plan.host.memory_mib)
        .max()
        .unwrap_or(0)
        + 512;
    let name = plans.clone().next().map_or("", |plan| &plan.name);
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    let (words, exe) = (words.join(" "), quoted(exe));
    format!(
        "\
#!/bin/bash
#SBATCH --job-name=exitlab-{name}
#SBATCH --array=1-{shards}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --mem={memory}M
# {cells} cells in {shards} parts. OUT is a directory that all nodes share. When all jobs are
# done: exitlab merge \"$OUT/whole\" \"$OUT\"/part-*
set -euo pipefail
: \"${{OUT:?set OUT to a directory that all nodes share}}\"
part=$OUT/part-$SLURM_ARRAY_TASK_ID
if [[ -e $part ]]; then # a job that was requeued
	exec {exe} run --resume \"$part\" --jobs 1 --progress plain
fi
exec {exe} run {words} --jobs 1 --progress plain \\
	--shard \"$SLURM_ARRAY_TASK_ID/{shards}\" --out \"$part\"
",
        cells = matrix.cells.len(),
    )
}

fn github(request: Request<'_>) -> String {
    let parts = (1..=request.shards).map(|number| format!("{number}/{}", request.shards));
    format!("{}\n", json!({ "shard": parts.collect::<Vec<_>>() }))
}

fn cells(matrix: &Matrix, request: Request<'_>) -> String {
    let cells = matrix.cells.iter().enumerate().map(|(number, cell)| {
        let shard = number as u32 % request.shards + 1;
        json!({ "id": cell.id, "values": cell.values, "repeat": cell.repeat,
                "shard": format!("{shard}/{}", request.shards) })
    });
    let plan = json!({
        "arguments": request.words,
        "axes": matrix.axes,
        "repeat": matrix.repeat,
        "shards": request.shards,
        "cells": cells.collect::<Vec<_>>(),
    });
    format!("{plan:#}\n")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use exitlab_config::load_matrix;

    #[test]
    fn every_engine_gets_its_own_words() {
        let sets = [
            "platform=tcg-svm",
            "repeat=2",
            "guest.machine=['q35', 'microvm']",
        ];
        let sets = sets.map(str::to_owned);
        let matrix = load_matrix(None, &sets, Path::new("/"), &[]).unwrap();
        let words = [
            "it's.toml".to_owned(),
            "--set".to_owned(),
            "repeat=2".to_owned(),
        ];
        let request = Request {
            words: &words,
            shards: 3,
            exe: "exitlab",
        };
        for engine in [Engine::Slurm, Engine::Github, Engine::Json] {
            let name = format!("emit_{engine:?}");
            insta::assert_snapshot!(name, emit(engine, &matrix, request));
        }
    }
}
