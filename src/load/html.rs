//! A report as one HTML file that needs nothing from elsewhere.

use std::fmt::Write as _;

use super::plot::{Line, Plot, Scale, escaped};
use super::report::{Counts, Report, Slice, time};

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;max-width:960px;margin:2em auto;padding:0 1em;\
color:#222;background:#fff}table{border-collapse:collapse;margin:1em 0}td,th{padding:.25em .7em;text-align:right;\
border-bottom:1px solid #ddd}td:first-child,th:first-child{text-align:left}figure{margin:1.5em 0}\
figcaption{font-weight:600}svg{width:100%;height:auto}svg text{font-size:11px;fill:currentColor}\
.grid{stroke:#8884;stroke-width:.6}.legend{font-size:13px}.trouble{background:#fdd;color:#600;padding:.6em}\
@media(prefers-color-scheme:dark){body{background:#16181c;color:#ddd}td,th{border-color:#444}}";

/// The page.
#[must_use]
pub fn page(report: &Report) -> String {
    let mut body = String::new();
    // Writing to a text cannot fail.
    let _ = head(&mut body, report);
    let _ = table(&mut body, report);
    if let Some(ramp) = &report.ramp {
        let steps = |value: fn(&super::report::Step) -> f64| {
            ramp.steps.iter().map(|step| (step.rate, value(step))).collect()
        };
        let plot = Plot {
            title: "Latency by rate",
            across: ("requests asked for a second", Scale::Linear),
            up: ("microseconds", Scale::Logarithmic),
            lines: vec![
                Line { name: "p50".to_owned(), points: steps(|step| step.p50_micros) },
                Line { name: "p99".to_owned(), points: steps(|step| step.p99_micros) },
            ],
        };
        body.push_str(&plot.draw());
    }
    for plot in plots(report) {
        body.push_str(&plot.draw());
    }
    let title = escaped(&report.name);
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head>\
         <body>{body}</body></html>\n"
    )
}

fn head(body: &mut String, report: &Report) -> std::fmt::Result {
    let text = |text: &str| escaped(text);
    write!(body, "<h1>{}</h1><p>{}</p>", text(&report.name), text(&report.description))?;
    write!(
        body,
        "<p>{}; {} accounts, Zipf exponent {}, seed {}; {:.1} s from {}; locum {} on {} cores.</p>",
        text(&report.arrivals),
        report.accounts,
        report.zipf_exponent,
        report.seed,
        report.seconds,
        text(&report.started_at),
        text(&report.version),
        report.cores
    )?;
    for trouble in &report.generator.trouble {
        write!(body, "<p class=\"trouble\">The generator did not keep up: {}</p>", text(trouble))?;
    }
    if let Some(server) = &report.server {
        let micros = server.micros_per_request;
        write!(body, "<p>Server: {micros:.1} us of CPU a request.</p>")?;
    }
    if let Some(ramp) = &report.ramp {
        let rate = ramp.last_good_rate.map_or("none".to_owned(), |rate| format!("{rate:.0}/s"));
        write!(body, "<p>Last good rate: <b>{rate}</b>; {}.</p>", text(&ramp.end))?;
    }
    Ok(())
}

fn table(body: &mut String, report: &Report) -> std::fmt::Result {
    body.push_str(
        "<table><tr><th>operation</th><th>done</th><th>a second</th><th>p50</th><th>p90</th><th>p99</th>\
         <th>p99.9</th><th>max</th><th>p99 from sending</th><th>throttled</th><th>failed</th>\
         <th>timed out</th></tr>",
    );
    for part in &report.operations {
        row(body, &format!("{} over {}", part.operation, part.protocol), &part.counts)?;
    }
    row(body, "all", &report.total)?;
    body.push_str("</table>");
    for part in &report.operations {
        for (code, count) in part.counts.failed.iter().chain(&part.counts.throttled) {
            let operation = part.operation;
            write!(body, "<div>{operation}: {count} &times; <code>{}</code></div>", escaped(code))?;
        }
    }
    let lag = &report.generator.lag;
    write!(
        body,
        "<p>Lag of the generator: p50 {}, p99 {}, max {}; {} of {} due requests were dropped; {:.2} s of its \
         CPU. Latencies count from when a request was due and are of successes and time-outs.</p>",
        time(lag.p50),
        time(lag.p99),
        time(lag.max),
        report.generator.dropped,
        report.generator.due,
        report.generator.cpu_seconds
    )
}

fn row(body: &mut String, name: &str, counts: &Counts) -> std::fmt::Result {
    let response = &counts.response;
    write!(
        body,
        "<tr><td>{}</td><td>{}</td><td>{:.0}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
         <td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
        escaped(name),
        counts.done,
        counts.done_a_second,
        time(response.p50),
        time(response.p90),
        time(response.p99),
        time(response.p999),
        time(response.max),
        time(counts.service.p99),
        counts.throttled.values().sum::<u64>(),
        counts.failed.values().sum::<u64>(),
        counts.timed_out
    )
}

fn plots(report: &Report) -> Vec<Plot<'_>> {
    let over_time = |name: &str, value: &dyn Fn(&Slice) -> f64| Line {
        name: name.to_owned(),
        points: report.slices.iter().map(|slice| (slice.at, value(slice))).collect(),
    };
    let rate = |count: fn(&Slice) -> u64| {
        move |slice: &Slice| count(slice) as f64 / slice.seconds.max(f64::MIN_POSITIVE)
    };
    let percentiles = report.operations.iter().map(|part| Line {
        name: format!("{} over {}", part.operation, part.protocol),
        points: part.counts.response.curve.clone(),
    });
    let lag = Line {
        name: "lag of the generator".to_owned(),
        points: report.generator.lag.curve.clone(),
    };
    let mut plots = vec![
        Plot {
            title: "Latency by percentile, from when requests were due",
            across: ("percentile", Scale::Nines),
            up: ("microseconds", Scale::Logarithmic),
            lines: percentiles.chain([lag]).collect(),
        },
        Plot {
            title: "Outcomes",
            across: ("seconds", Scale::Linear),
            up: ("a second", Scale::Linear),
            lines: vec![
                over_time("done", &rate(|slice| slice.done)),
                over_time("failed", &rate(|slice| slice.failed)),
                over_time("throttled", &rate(|slice| slice.throttled)),
                over_time("dropped", &rate(|slice| slice.dropped)),
            ],
        },
        Plot {
            title: "Latency",
            across: ("seconds", Scale::Linear),
            up: ("microseconds", Scale::Logarithmic),
            lines: vec![
                over_time("p50", &|slice| slice.p50_micros),
                over_time("p99", &|slice| slice.p99_micros),
            ],
        },
        Plot {
            title: "Under way and waiting",
            across: ("seconds", Scale::Linear),
            up: ("requests", Scale::Linear),
            lines: vec![
                over_time("under way", &|slice| slice.in_flight as f64),
                over_time("waiting", &|slice| slice.backlog as f64),
            ],
        },
    ];
    if report.server.is_some() {
        plots.push(Plot {
            title: "CPU of the server",
            across: ("seconds", Scale::Linear),
            up: ("microseconds a request", Scale::Linear),
            lines: vec![over_time("CPU", &|slice| slice.server_cpu_micros.unwrap_or(f64::NAN))],
        });
    }
    plots
}
