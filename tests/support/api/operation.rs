//! Operations of both edges as lists of places for values, each with what it stands for; and requests made of them.

use std::collections::BTreeMap;

use locum::aws;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use prost_reflect::{FieldDescriptor, Kind as Form, MessageDescriptor, MethodDescriptor};
use serde_json::{Value, json};

use super::references::{Class, Kind, class_of};
use super::wire::methods;

/// A place for a value in a request.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The names that lead to it, each with whether it is of a list.
    path: Vec<(String, bool)>,
    /// What excludes it: places of one `oneof`, or two forms of one name.
    choice: Option<String>,
    pub(crate) class: Class,
}

impl Place {
    pub(crate) fn name(&self) -> String {
        self.path.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(".")
    }

    pub(crate) fn kind(&self) -> Option<Kind> {
        match self.class {
            Class::Refers(kind) | Class::MayRefer(kind) => Some(kind),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Edge {
    Grpc(MethodDescriptor),
    Query(&'static str),
}

#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) edge: Edge,
    pub(crate) places: Vec<Place>,
    version: &'static str,
}

/// Every call of gRPC, and what of them the table does not know.
pub(crate) fn of_grpc() -> (Vec<Operation>, Vec<String>) {
    let mut unknown = Vec::new();
    let operations = methods().into_iter().map(|method| {
        let (name, mut places) = (method.name().to_owned(), Vec::new());
        collect(&method.input(), &name, &[], None, &mut places, &mut unknown);
        Operation { name, edge: Edge::Grpc(method), places, version: "" }
    });
    (operations.collect(), unknown)
}

fn collect(
    message: &MessageDescriptor,
    owner: &str,
    path: &[(String, bool)],
    outer: Option<&String>,
    places: &mut Vec<Place>,
    unknown: &mut Vec<String>,
) {
    for field in message.fields() {
        let mut path = path.to_vec();
        path.push((field.json_name().to_owned(), field.is_list()));
        let choice = field.containing_oneof().filter(|oneof| !oneof.is_synthetic());
        let choice = choice.map(|oneof| oneof.full_name().to_owned()).or(outer.cloned());
        if let Some(class) = class_of(owner, field.name()) {
            places.push(Place { path, choice, class });
        } else if let Some(inner) = own_message(&field) {
            let name = inner.name().to_owned();
            collect(&inner, &name, &path, choice.as_ref(), places, unknown);
        } else {
            unknown.push(format!("field {} of {owner} is not classified", field.name()));
        }
    }
}

fn own_message(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Form::Message(message)
            if !field.is_map() && message.full_name().starts_with("locum.v1.") =>
        {
            Some(message)
        }
        _ => None,
    }
}

/// Parameters that have parts: the parts that requests have.
const PARTS: &[(&str, &[&str])] = &[
    ("ActionNames", &[".member.1"]),
    ("ClientIDList", &[".member.1"]),
    ("IamInstanceProfile", &[".Name", ".Arn"]),
    ("PermissionsBoundaryPolicyInputList", &[".member.1"]),
    ("Placement", &[".HostId"]),
    ("PolicyArns", &[".member.1.arn"]),
    ("PolicyInputList", &[".member.1"]),
    ("ResourceArns", &[".member.1"]),
    ("TagKeys", &[".member.1"]),
    ("Tags", &[".member.1.Key", ".member.1.Value"]),
    ("ThumbprintList", &[".member.1"]),
];
/// The same for parameters of one operation.
const PARTS_OF: &[(&str, &str, &[&str])] = &[
    ("DescribeIamInstanceProfileAssociations", "AssociationId", &[".1"]),
    ("DescribeIamInstanceProfileAssociations", "Filter", &[".1.Name", ".1.Value.1"]),
    ("DescribeInstances", "Filter", &[".1.Name", ".1.Value.1"]),
    ("DescribeInstances", "InstanceId", &[".1"]),
    ("GetAccountAuthorizationDetails", "Filter", &[]),
    ("TerminateInstances", "InstanceId", &[".1"]),
];

/// Every operation of the Query protocol, and what of them the table does not know.
pub(crate) fn of_query() -> (Vec<Operation>, Vec<String>) {
    let mut unknown = Vec::new();
    let operations = aws::operations().into_iter().map(|found| {
        let mut places = Vec::new();
        for parameter in found.parameters.iter().map(|parameter| &parameter.name) {
            let own = PARTS_OF.iter().find(|(of, name, _)| (*of, *name) == (found.name, parameter));
            let shared = PARTS.iter().find(|(name, _)| name == parameter).map(|(_, parts)| *parts);
            let parts = own.map(|(.., parts)| *parts).or(shared).unwrap_or(&[""]);
            for part in parts {
                let name = format!("{parameter}{part}");
                match class_of(found.name, &name) {
                    Some(class) => {
                        let choice =
                            (*parameter == "IamInstanceProfile").then(|| (*parameter).to_owned());
                        places.push(Place { path: vec![(name, false)], choice, class });
                    }
                    None => unknown.push(format!("{name} of {} is not classified", found.name)),
                }
            }
        }
        let edge = Edge::Query(found.service);
        Operation { name: found.name.to_owned(), edge, places, version: found.version }
    });
    (operations.collect(), unknown)
}

impl Operation {
    /// The values of a request that tries the reference at `tried`, or none of them. `named` gives what is
    /// referred to.
    pub(crate) fn values(
        &self,
        tried: Option<usize>,
        mut named: impl FnMut(usize, Kind) -> String,
        headers: &Value,
    ) -> BTreeMap<usize, Value> {
        let is_tried = |at: usize| tried == Some(at);
        let tried_place = tried.and_then(|at| self.places.get(at));
        let with_serial = tried_place.and_then(Place::kind) == Some(Kind::Serial);
        let mut chosen: Vec<&String> =
            tried_place.and_then(|place| place.choice.as_ref()).into_iter().collect();
        let mut values = BTreeMap::new();
        for (at, place) in self.places.iter().enumerate() {
            if let Some(choice) = &place.choice
                && !is_tried(at)
            {
                if chosen.contains(&choice) {
                    continue;
                }
                chosen.push(choice);
            }
            let json = |text: &str| serde_json::from_str(text).unwrap();
            let value = match place.class {
                Class::Refers(kind) => json!(named(at, kind)),
                Class::MayRefer(kind) if is_tried(at) => json!(named(at, kind)),
                // What is looked for needs the name of what it is looked for in.
                Class::Value(_) if place.name().starts_with("Filter.") && !self.filters(tried) => {
                    continue;
                }
                Class::Value(text) => json(text),
                Class::WithSerial(text) if with_serial => json(text),
                Class::SignedHeaders => headers.clone(),
                Class::MayRefer(_) | Class::WithSerial(_) | Class::LeftOut => continue,
            };
            values.insert(at, value);
        }
        values
    }

    fn filters(&self, tried: Option<usize>) -> bool {
        let place = tried.and_then(|at| self.places.get(at));
        place.is_some_and(|place| place.name().starts_with("Filter."))
    }

    /// The request of gRPC with these values.
    pub(crate) fn message(&self, values: &BTreeMap<usize, Value>) -> Value {
        let mut message = json!({});
        for (at, value) in values {
            let path = &self.places[*at].path;
            let mut node = &mut message;
            for (depth, (name, list)) in path.iter().enumerate() {
                let last = depth + 1 == path.len();
                node = &mut node[name];
                // The headers are the whole list.
                if *list && !(last && value.is_array()) {
                    if node.is_null() {
                        *node = json!([{}]);
                    }
                    node = &mut node[0];
                }
            }
            *node = value.clone();
        }
        message
    }

    /// The form of the Query protocol with these values.
    pub(crate) fn form(&self, values: &BTreeMap<usize, Value>) -> String {
        let mut form = format!("Action={}&Version={}", self.name, self.version);
        for (at, value) in values {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let text = utf8_percent_encode(&text, NON_ALPHANUMERIC);
            form += &format!("&{}={text}", self.places[*at].name());
        }
        form
    }
}
