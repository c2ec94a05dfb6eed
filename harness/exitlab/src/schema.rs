//! JSON Schemas of the files that other programs read, made from the types that write them.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::Value;

use crate::cli::SchemaFile;
use crate::results::Written;
use exitlab_model::matrix::Index;

/// The schema of a file (JSON Schema, draft 2020-12), as text.
pub fn schema(file: SchemaFile) -> String {
    let settings = SchemaSettings::draft2020_12()
        .for_serialize()
        .with_transform(WithoutLinks);
    let mut generator = settings.into_generator();
    let schema = match file {
        SchemaFile::Run => generator.root_schema_for::<Written<'_>>(),
        SchemaFile::Matrix => generator.root_schema_for::<Index<Value>>(),
    };
    format!("{:#}\n", schema.as_value())
}

/// Comments link to other types, which a schema does not have.
#[derive(Debug, Clone)]
struct WithoutLinks;

impl Transform for WithoutLinks {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(Value::String(text)) = schema.get_mut("description") {
            *text = unlinked(text);
        }
        transform_subschemas(self, schema);
    }
}

/// ``[`SCHEMA`]`` and ``[`slot`](ReasonTable::slot)`` as `SCHEMA` and `slot`.
fn unlinked(text: &str) -> String {
    let mut pieces = text.split("[`");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, mut rest) = piece.split_once("`]").unwrap_or((piece, ""));
        if rest.starts_with('(') {
            rest = rest.split_once(')').map_or("", |(_, rest)| rest);
        }
        out += &format!("`{name}`{rest}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_names() {
        let text = "As [`a::b`] and [`c`](d::c) say.";
        assert_eq!(unlinked(text), "As `a::b` and `c` say.");
    }

    /// Whoever reads results takes the schemas from `docs/schemas`.
    #[test]
    fn the_schemas_in_docs_are_those_of_the_types() {
        for (file, name) in [(SchemaFile::Run, "run"), (SchemaFile::Matrix, "matrix")] {
            let repository = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
            let path = format!("{repository}/docs/schemas/{name}.schema.json");
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                kept == schema(file),
                "a type has changed: exitlab schema {name} >docs/schemas/{name}.schema.json"
            );
        }
    }
}
