//! Reads what a process exposes, and what a query asks for: the dashboard and the alert rules are parsed as
//! Prometheus would, not searched for words.

use std::collections::{BTreeMap, BTreeSet};

use promql_parser::parser::{AggregateExpr, Expr, VectorSelector, parse};
use promql_parser::util::{ExprVisitor, walk_expr};
use serde_json::Value;

/// Labels that Prometheus adds to every series.
const TARGET_LABELS: [&str; 2] = ["job", "instance"];

/// Series by name, with the values that each label has.
#[derive(Default)]
pub(crate) struct Exposed(pub(crate) BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

impl Exposed {
    /// Adds the series of a text in Prometheus's format.
    pub(crate) fn add(&mut self, text: &str) {
        let body = text.split_once("\r\n\r\n").map_or(text, |(_, body)| body);
        for line in body.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (series, value) = line.rsplit_once(' ').unwrap();
            value.parse::<f64>().unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let known = self.0.entry(name.to_owned()).or_default();
            let mut rest = labels.trim_end_matches('}');
            while let Some((label, after)) = rest.split_once("=\"") {
                let (value, after) = after.split_once('"').unwrap();
                known.entry(label.to_owned()).or_default().insert(value.to_owned());
                rest = after.trim_start_matches(',');
            }
        }
    }

    /// Everything that a query asks for and that there is not.
    pub(crate) fn missing(&self, query: &str) -> Vec<String> {
        let plain = query.replace("$__rate_interval", "5m").replace("$__interval", "5m");
        let expr = parse(&plain).unwrap_or_else(|error| panic!("{query}: {error}"));
        let mut visitor = Missing { exposed: self, found: Vec::new(), labels: BTreeSet::new() };
        walk_expr(&mut visitor, &expr).unwrap();
        visitor.found
    }
}

struct Missing<'a> {
    exposed: &'a Exposed,
    found: Vec<String>,
    /// Labels of the series that were seen, and those that aggregations go by.
    labels: BTreeSet<String>,
}

impl Missing<'_> {
    fn selector(&mut self, selector: &VectorSelector) {
        let name = selector.name.as_deref().unwrap_or_default();
        // Prometheus's own, of every target.
        if name == "up" {
            return;
        }
        let Some(labels) = self.exposed.0.get(name) else {
            self.found.push(name.to_owned());
            return;
        };
        self.labels.extend(labels.keys().cloned());
        for matcher in &selector.matchers.matchers {
            let Some(values) = labels.get(&matcher.name) else {
                if !TARGET_LABELS.contains(&matcher.name.as_str()) {
                    self.found.push(format!("{name}{{{}}}", matcher.name));
                }
                continue;
            };
            // A value that is none of the label's selects nothing: a bound, an outcome, a reason, each of `a|b`.
            for value in matcher.value.split('|').filter(|value| !values.contains(*value)) {
                self.found.push(format!("{name}{{{}=\"{value}\"}}", matcher.name));
            }
        }
    }

    fn aggregate(&mut self, aggregate: &AggregateExpr) {
        let mut inner =
            Missing { exposed: self.exposed, found: Vec::new(), labels: BTreeSet::new() };
        walk_expr(&mut inner, &aggregate.expr).unwrap();
        let by = aggregate.modifier.iter().flat_map(|modifier| &modifier.labels().labels);
        for label in by {
            if !inner.labels.contains(label) && !TARGET_LABELS.contains(&label.as_str()) {
                self.found.push(format!("by ({label}) of {}", aggregate.expr));
            }
        }
    }
}

impl ExprVisitor for Missing<'_> {
    type Error = std::convert::Infallible;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Self::Error> {
        match expr {
            Expr::VectorSelector(selector) => self.selector(selector),
            Expr::MatrixSelector(matrix) => self.selector(&matrix.vs),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate),
            _ => {}
        }
        Ok(true)
    }
}

/// Every query of a Grafana dashboard, with its panel.
pub(crate) fn dashboard_queries(dashboard: &Value) -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().into_iter().flatten() {
            queries.push((title.to_owned(), target["expr"].as_str().unwrap().to_owned()));
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        let Some(query) = variable["query"]["query"].as_str() else { continue };
        let inner = query.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
        let (metric, label) = inner.split_once(", ").unwrap();
        queries.push((format!("${query}"), format!("count by ({label}) ({metric})")));
    }
    queries
}

/// Every query of a file of alert rules, with the alert's name.
pub(crate) fn rule_queries(rules: &Value) -> Vec<(String, String)> {
    let groups = rules["groups"].as_array().unwrap().iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rules.map(|rule| (text(&rule["alert"]), text(&rule["expr"]))).collect()
}
