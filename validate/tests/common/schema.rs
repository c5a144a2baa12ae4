//! As much of JSON Schema as the schema of a finding uses.

use serde_json::Value;

/// Checks a value against the part of JSON Schema that our schema uses.
pub(crate) fn conforms(schema: &Value, root: &Value, value: &Value) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.trim_start_matches("#/$defs/");
        return conforms(&root["$defs"][name], root, value);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = |choice: &&Value| conforms(choice, root, value).is_ok();
        let fitting = choices.iter().filter(fits).count();
        return match fitting {
            1 => Ok(()),
            other => Err(format!("{other} choices fit {value}")),
        };
    }
    let types = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let actual = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types.is_empty() && !types.contains(&actual) {
        return Err(format!("{actual} instead of {types:?}: {value}"));
    }
    if let Some(constant) = schema.get("const")
        && constant != value
    {
        return Err(format!("{value} instead of {constant}"));
    }
    if let Some(choices) = schema["enum"].as_array()
        && !choices.contains(value)
    {
        return Err(format!("{value} is none of {choices:?}"));
    }
    for item in value.as_array().into_iter().flatten() {
        conforms(&schema["items"], root, item)?;
    }
    let Some(object) = value.as_object() else {
        return Ok(());
    };
    for key in schema["required"].as_array().into_iter().flatten() {
        let key = key.as_str().unwrap_or_default();
        object.get(key).ok_or_else(|| format!("{key} is missing"))?;
    }
    for (key, value) in object {
        let part = schema["properties"].get(key);
        conforms(
            part.ok_or_else(|| format!("{key} is unknown"))?,
            root,
            value,
        )?;
    }
    Ok(())
}
