//! Flags from message descriptors, and messages from flags.

use std::collections::BTreeMap;

use clap::{Arg, ArgAction, ArgMatches, Command};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::Failure;

/// `RoleName`, `role_name` and `roleName` as a flag: `role-name`.
pub(super) fn kebab(name: &str) -> String {
    let mut text = String::new();
    for (at, c) in name.chars().enumerate() {
        if c == '_' {
            text.push('-');
        } else {
            if c.is_ascii_uppercase() && at > 0 {
                text.push('-');
            }
            text.push(c.to_ascii_lowercase());
        }
    }
    text
}

/// Flags that say which service is called, as whom, and how its answer is printed.
const TAKEN: [&str; 5] = ["endpoint", "region", "credentials", "ca-file", "output"];

/// The flag of a field; one that is taken is told apart by `request-`.
fn flag_of(field: &FieldDescriptor) -> String {
    let flag = kebab(field.name());
    if TAKEN.contains(&flag.as_str()) { format!("request-{flag}") } else { flag }
}

/// Adds a flag for each field. Messages that hold texts only become one flag for each of those.
pub(super) fn add_flags(mut command: Command, message: &MessageDescriptor) -> Command {
    for field in message.fields() {
        for (flag, help) in flags_of(&field) {
            let action =
                if field.is_list() || field.is_map() { ArgAction::Append } else { ArgAction::Set };
            command = command.arg(Arg::new(flag.clone()).long(flag).help(help).action(action));
        }
    }
    command
}

/// The texts of a message that is flattened: `ProfileReference` and `PolicyOwner`.
fn flattened(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    if field.is_list() || field.is_map() {
        return None;
    }
    match field.kind() {
        Kind::Message(message) if !message.full_name().starts_with("google.") => {
            let texts = message.fields().all(|f| f.kind() == Kind::String && !f.is_list());
            texts.then_some(message)
        }
        _ => None,
    }
}

fn flags_of(field: &FieldDescriptor) -> Vec<(String, String)> {
    let flag = flag_of(field);
    if let Some(message) = flattened(field) {
        let of =
            |inner: FieldDescriptor| (format!("{flag}-{}", kebab(inner.name())), String::new());
        return message.fields().map(of).collect();
    }
    let help = match field.kind() {
        _ if field.is_map() => "key=value, may be given several times",
        Kind::String if field.is_list() => "may be given several times",
        Kind::String => "a text, or @FILE",
        Kind::Bool => "true or false",
        Kind::Message(message) if message.full_name() == "google.protobuf.Duration" => {
            "seconds, such as 3600s"
        }
        Kind::Message(_) => "JSON",
        Kind::Enum(_) => "a name or number",
        _ => "a number",
    };
    vec![(flag, help.to_owned())]
}

/// The message as JSON, from the flags that were given.
pub(super) fn message(matches: &ArgMatches, message: &MessageDescriptor) -> Result<Value, Failure> {
    let mut fields = Map::new();
    for field in message.fields() {
        if let Some(value) = value_of(matches, &field)? {
            fields.insert(field.json_name().to_owned(), value);
        }
    }
    Ok(Value::Object(fields))
}

fn value_of(matches: &ArgMatches, field: &FieldDescriptor) -> Result<Option<Value>, Failure> {
    let flag = flag_of(field);
    if let Some(inner) = flattened(field) {
        let mut fields = Map::new();
        for text in inner.fields() {
            let name = format!("{flag}-{}", kebab(text.name()));
            if let Some(value) = matches.get_one::<String>(&name) {
                fields.insert(text.json_name().to_owned(), json!(file_or_text(value)?));
            }
        }
        return Ok((!fields.is_empty()).then_some(Value::Object(fields)));
    }
    let Some(given) = matches.get_many::<String>(&flag) else { return Ok(None) };
    let given: Vec<&String> = given.collect();
    if field.is_map() {
        let mut pairs = BTreeMap::new();
        for pair in given {
            let (key, value) = pair.split_once('=').ok_or("a pair is written key=value")?;
            let Kind::Message(entry) = field.kind() else { continue };
            pairs.insert(key, one(&entry.map_entry_value_field().kind(), value)?);
        }
        return Ok(Some(json!(pairs)));
    }
    let values: Result<Vec<Value>, Failure> =
        given.into_iter().map(|text| one(&field.kind(), text)).collect();
    let mut values = values?;
    Ok(Some(if field.is_list() { Value::Array(values) } else { values.pop().unwrap_or_default() }))
}

fn one(kind: &Kind, text: &str) -> Result<Value, Failure> {
    Ok(match kind {
        Kind::String => json!(file_or_text(text)?),
        Kind::Bool => json!(text.parse::<bool>()?),
        // By name or number.
        Kind::Enum(_) => text.parse::<i32>().map_or_else(|_| json!(text), |number| json!(number)),
        Kind::Message(message) if message.full_name() == "google.protobuf.Duration" => json!(text),
        Kind::Message(message) if message.name() == "Tag" && text.contains('=') => {
            let (key, value) = text.split_once('=').unwrap_or((text, ""));
            json!({"key": key, "value": value})
        }
        Kind::Message(_) => serde_json::from_str(&file_or_text(text)?)?,
        _ => json!(text.parse::<u64>()?),
    })
}

fn file_or_text(text: &str) -> Result<String, Failure> {
    match text.strip_prefix('@') {
        Some(path) => Ok(std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read `{path}`: {error}"))?),
        None => Ok(text.to_owned()),
    }
}

/// The warnings of an answer as sentences, taken out of it.
pub(super) fn take_warnings(answer: &mut Value) -> Vec<String> {
    let warnings = answer.as_object_mut().and_then(|fields| fields.remove("warnings"));
    let Some(Value::Array(warnings)) = warnings else { return Vec::new() };
    let text = |warning: &Value, name: &str| {
        warning.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let sentence = |warning: &Value| {
        let (path, message, rule) =
            (text(warning, "path"), text(warning, "message"), text(warning, "rule"));
        format!("warning: {path}: {message} [{rule}]")
    };
    warnings.iter().map(sentence).collect()
}

/// An answer for people: the rows of its list as a table, or its fields one a line.
pub(super) fn table(answer: &Value) -> String {
    let Some(fields) = answer.as_object() else { return answer.to_string() };
    let list = fields.values().find_map(Value::as_array);
    let rows: Vec<&Map<String, Value>> =
        list.into_iter().flatten().filter_map(Value::as_object).collect();
    if rows.is_empty() {
        return lines("", fields).join("\n");
    }
    let mut columns: Vec<&str> = Vec::new();
    for row in &rows {
        for (name, value) in *row {
            if !value.is_object() && !value.is_array() && !columns.contains(&name.as_str()) {
                columns.push(name);
            }
        }
    }
    let cell = |row: &Map<String, Value>, name: &str| row.get(name).map(plain).unwrap_or_default();
    let width = |name: &&str| {
        rows.iter().map(|row| cell(row, name).chars().count()).max().unwrap_or(0).max(name.len())
    };
    let widths: Vec<usize> = columns.iter().map(width).collect();
    let line = |cells: Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut text = vec![line(columns.iter().map(|name| (*name).to_owned()).collect())];
    text.extend(rows.iter().map(|row| line(columns.iter().map(|name| cell(row, name)).collect())));
    text.join("\n")
}

fn lines(prefix: &str, fields: &Map<String, Value>) -> Vec<String> {
    let mut text = Vec::new();
    for (name, value) in fields {
        match value {
            Value::Object(inner) => text.extend(lines(&format!("{prefix}{name}."), inner)),
            other => text.push(format!("{prefix}{name}  {}", plain(other))),
        }
    }
    text
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
