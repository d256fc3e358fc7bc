//! The text formats of Prometheus: its own, version 0.0.4, and OpenMetrics 1.0.0, as the scraper asks.
//! Sources: Prometheus documentation, Exposition formats; OpenMetrics specification 1.0.0.

use std::fmt::Write as _;

use super::{Distribution, Family, Kind, Labels, Sink};

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's own, 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The one that an `Accept` header prefers: OpenMetrics where it is named and not liked less.
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        let mut quality = [None::<f32>; 2];
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let q = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
            let [plain, open] = &mut quality;
            let known = match media.to_ascii_lowercase().as_str() {
                "application/openmetrics-text" => open,
                "text/plain" | "text/*" => plain,
                _ => continue,
            };
            *known = Some(known.map_or(q, |before| before.max(q)));
        }
        match quality {
            [plain, Some(open)] if open > 0.0 && open >= plain.unwrap_or_default() => {
                Self::OpenMetrics
            }
            _ => Self::Prometheus,
        }
    }

    /// The content type of the format.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Everything that `gather` tells, in this format.
    #[must_use]
    pub fn write(self, gather: impl FnOnce(&mut dyn Sink)) -> String {
        let mut text = Text { format: self, text: String::new(), family: None };
        gather(&mut text);
        if self == Self::OpenMetrics {
            text.text.push_str("# EOF\n");
        }
        text.text
    }
}

struct Text {
    format: Format,
    text: String,
    family: Option<&'static str>,
}

impl Text {
    fn head(&mut self, family: &'static Family) {
        if self.family == Some(family.name) {
            return;
        }
        self.family = Some(family.name);
        let name = match self.format {
            Format::Prometheus => family.name,
            Format::OpenMetrics => family.name.trim_end_matches("_total"),
        };
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {}\n# TYPE {name} {kind}", family.help);
        let unit = ["seconds", "bytes"].into_iter().find(|unit| name.ends_with(unit));
        if let (Format::OpenMetrics, Some(unit)) = (self.format, unit) {
            let _ = writeln!(self.text, "# UNIT {name} {unit}");
        }
    }

    fn sample(&mut self, name: &str, suffix: &str, labels: &[(&str, &str)], value: f64) {
        let _ = write!(self.text, "{name}{suffix}");
        for (index, (label, text)) in labels.iter().enumerate() {
            self.text.push(if index == 0 { '{' } else { ',' });
            let _ = write!(self.text, "{label}=\"");
            for c in text.chars() {
                match c {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    c => self.text.push(c),
                }
            }
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}

impl Sink for Text {
    fn number(&mut self, family: &'static Family, labels: &Labels<'_>, value: f64) {
        self.head(family);
        self.sample(family.name, "", labels, value);
    }

    fn histogram(&mut self, family: &'static Family, labels: &Labels<'_>, values: &Distribution) {
        self.head(family);
        let mut under = 0;
        let bounds = values.bounds.iter().map(|bound| told_bound(*bound));
        let bounds: Vec<String> = bounds.chain(["+Inf".to_owned()]).collect();
        for (bound, count) in bounds.iter().zip(&values.counts) {
            under += count;
            let labels: Vec<_> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
            self.sample(family.name, "_bucket", &labels, under as f64);
        }
        self.sample(family.name, "_sum", labels, values.sum);
        self.sample(family.name, "_count", labels, under as f64);
    }
}

/// OpenMetrics wants bounds with a fraction; so has the other format, for the series to be the same.
fn told_bound(bound: f64) -> String {
    if bound.fract() == 0.0 { format!("{bound:.1}") } else { bound.to_string() }
}

#[cfg(test)]
mod tests {
    use super::super::{Histogram, names};
    use super::*;

    fn told(format: Format) -> String {
        let histogram = Histogram::of_time(&[1_000_000, 1_000_000_000]);
        histogram.observe(500);
        histogram.observe(2_000_000_000);
        format.write(|sink| {
            sink.number(&names::ERRORS, &[("edge", "grpc"), ("code", "a\"b\\c\n")], 3.0);
            sink.number(&names::ERRORS, &[("edge", "aws"), ("code", "x")], 0.0);
            sink.histogram(&names::LOG_APPEND, &[], &histogram.read());
            sink.number(&names::LOG_SEQUENCE, &[], 12.0);
        })
    }

    /// Protects scrapers of either format: the text is what the format's document says.
    #[test]
    fn both_formats_are_written_as_specified() {
        let help = |family: &Family| family.help;
        let expected = format!(
            "# HELP locum_errors_total {}\n# TYPE locum_errors_total counter\n\
             locum_errors_total{{edge=\"grpc\",code=\"a\\\"b\\\\c\\n\"}} 3\n\
             locum_errors_total{{edge=\"aws\",code=\"x\"}} 0\n\
             # HELP locum_log_append_duration_seconds {}\n\
             # TYPE locum_log_append_duration_seconds histogram\n\
             locum_log_append_duration_seconds_bucket{{le=\"0.001\"}} 1\n\
             locum_log_append_duration_seconds_bucket{{le=\"1.0\"}} 1\n\
             locum_log_append_duration_seconds_bucket{{le=\"+Inf\"}} 2\n\
             locum_log_append_duration_seconds_sum 2.0000005\n\
             locum_log_append_duration_seconds_count 2\n\
             # HELP locum_log_sequence {}\n# TYPE locum_log_sequence gauge\nlocum_log_sequence 12\n",
            help(&names::ERRORS),
            help(&names::LOG_APPEND),
            help(&names::LOG_SEQUENCE),
        );
        assert_eq!(told(Format::Prometheus), expected);
        let open = told(Format::OpenMetrics);
        assert!(open.contains("# TYPE locum_errors counter\nlocum_errors_total{"), "{open}");
        assert!(open.contains("# UNIT locum_log_append_duration_seconds seconds\n"), "{open}");
        assert!(open.ends_with("\n# EOF\n"), "{open}");
    }

    /// Protects old and new scrapers: each gets the format that it asks for first.
    #[test]
    fn the_format_is_the_one_that_is_asked_for() {
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;q=0.3,*/*;q=0.1";
        for (accept, format) in [
            ("", Format::Prometheus),
            ("*/*", Format::Prometheus),
            ("text/plain;version=0.0.4", Format::Prometheus),
            (prometheus_3, Format::OpenMetrics),
            ("application/openmetrics-text; version=1.0.0", Format::OpenMetrics),
            ("application/openmetrics-text;q=0.1,text/plain;q=0.9", Format::Prometheus),
            ("application/openmetrics-text;q=0", Format::Prometheus),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }
}
