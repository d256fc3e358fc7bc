//! Line plots as SVG, drawn by hand so that a report is one file that needs nothing from elsewhere.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 260.0;
/// Room for the labels of the axes.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 15.0;
const TOP: f64 = 15.0;
const BOTTOM: f64 = 40.0;
/// About how many labels an axis has.
const TICKS: f64 = 5.0;
/// Colours that are told apart by most eyes. Source: Okabe and Ito, "Color Universal Design", 2008.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// How numbers stand along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    /// By powers of ten; what is not positive is left out.
    Logarithmic,
    /// Quantiles: each further nine as far as the one before.
    Nines,
}

/// A line.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// A plot.
pub(super) struct Plot<'a> {
    pub(super) title: &'a str,
    pub(super) across: (&'a str, Scale),
    pub(super) up: (&'a str, Scale),
    pub(super) lines: Vec<Line>,
}

/// Quantiles beyond which nothing is drawn: five nines.
const NINES_MAX: f64 = 5.0;

impl Scale {
    /// Where a number stands; none if it has no place.
    fn place(self, number: f64) -> Option<f64> {
        let placed = match self {
            Self::Linear => number,
            Self::Logarithmic => number.log10(),
            Self::Nines => (-(1.0 - number).log10()).min(NINES_MAX),
        };
        placed.is_finite().then_some(placed)
    }

    /// Places of labels between two places, and what they say.
    fn ticks(self, low: f64, high: f64) -> Vec<(f64, String)> {
        match self {
            Self::Linear => {
                let step = round_step((high - low) / TICKS);
                let first = (low / step).ceil();
                let ticks = (0..20).map(|n| (first + f64::from(n)) * step);
                let ticks = ticks.take_while(|at| *at <= high + step * 1e-9);
                ticks.map(|at| (at, short(at))).collect()
            }
            Self::Logarithmic => powers(low, high, |at| short(10_f64.powf(at))),
            Self::Nines => powers(low, high, |at| match at {
                at if at < 0.5 => "0%".to_owned(),
                at => format!("{}%", 100.0 - 10_f64.powf(2.0 - at)),
            }),
        }
    }
}

fn powers(low: f64, high: f64, label: impl Fn(f64) -> String) -> Vec<(f64, String)> {
    let whole = (0..40).map(|n| low.ceil() + f64::from(n)).take_while(|at| *at <= high + 1e-9);
    whole.map(|at| (at, label(at))).collect()
}

/// 1, 2 or 5 times a power of ten, at least `step`.
fn round_step(step: f64) -> f64 {
    if step.is_nan() || step <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(step.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| times * power >= step);
    times.unwrap_or(10.0) * power
}

fn short(number: f64) -> String {
    let text = match number.abs() {
        size if size >= 1e6 => format!("{:.1}M", number / 1e6),
        size if size >= 1e3 => format!("{:.1}k", number / 1e3),
        _ if number.fract() == 0.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.0}"),
        _ => format!("{number:.2}"),
    };
    text.replace(".0M", "M").replace(".0k", "k")
}

/// Text as HTML and SVG hold it.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// An axis: what it holds, and which pixels that is.
struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn new(scale: Scale, numbers: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let placed = numbers.filter_map(|number| scale.place(number));
        let (mut low, mut high) = placed
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| {
                (low.min(at), high.max(at))
            });
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        // Amounts are seen from nothing; powers of ten whole.
        match scale {
            Scale::Linear => low = low.min(0.0),
            Scale::Logarithmic => (low, high) = (low.floor(), high.ceil()),
            Scale::Nines => low = 0.0,
        }
        if high - low < 1e-9 {
            high = low + 1.0;
        }
        Self { scale, low, high, from, to }
    }

    fn pixel(&self, placed: f64) -> f64 {
        self.from + (placed - self.low) / (self.high - self.low) * (self.to - self.from)
    }
}

impl Plot<'_> {
    /// The SVG.
    pub(super) fn draw(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let x = Axis::new(self.across.1, points().map(|(x, _)| *x), LEFT, WIDTH - RIGHT);
        let y = Axis::new(self.up.1, points().map(|(_, y)| *y), HEIGHT - BOTTOM, TOP);
        let title = escaped(self.title);
        let mut svg = format!(
            r#"<svg role="img" aria-label="{title}" viewBox="0 0 {WIDTH} {HEIGHT}" xmlns="http://www.w3.org/2000/svg">"#
        );
        // Writing to a text cannot fail.
        let _ = self.frame(&mut svg, &x, &y);
        for (at, line) in self.lines.iter().enumerate() {
            let colour = COLOURS.get(at % COLOURS.len()).copied().unwrap_or_default();
            let placed = line.points.iter().filter_map(|(px, py)| {
                Some(format!(
                    "{:.1},{:.1}",
                    x.pixel(x.scale.place(*px)?),
                    y.pixel(y.scale.place(*py)?)
                ))
            });
            let placed = placed.collect::<Vec<_>>().join(" ");
            let name = escaped(&line.name);
            let _ = write!(
                svg,
                r#"<polyline class="line" fill="none" stroke="{colour}" stroke-width="1.6" points="{placed}"><title>{name}</title></polyline>"#
            );
        }
        svg.push_str("</svg>");
        let mut legend = String::new();
        for (at, line) in self.lines.iter().enumerate() {
            let colour = COLOURS.get(at % COLOURS.len()).copied().unwrap_or_default();
            let name = escaped(&line.name);
            let _ = write!(legend, r#"<span style="color:{colour}">&#9632;</span> {name} "#);
        }
        format!(
            "<figure><figcaption>{title}</figcaption>{svg}<div class=\"legend\">{legend}</div></figure>"
        )
    }

    fn frame(&self, svg: &mut String, x: &Axis, y: &Axis) -> std::fmt::Result {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for (at, label) in x.scale.ticks(x.low, x.high) {
            let px = x.pixel(at);
            write!(
                svg,
                r#"<line class="grid" x1="{px:.1}" x2="{px:.1}" y1="{TOP}" y2="{bottom}"/><text x="{px:.1}" y="{:.1}" text-anchor="middle">{label}</text>"#,
                bottom + 14.0
            )?;
        }
        for (at, label) in y.scale.ticks(y.low, y.high) {
            let py = y.pixel(at);
            write!(
                svg,
                r#"<line class="grid" x1="{LEFT}" x2="{right}" y1="{py:.1}" y2="{py:.1}"/><text x="{:.1}" y="{:.1}" text-anchor="end">{label}</text>"#,
                LEFT - 6.0,
                py + 4.0
            )?;
        }
        let (across, up) = (escaped(self.across.0), escaped(self.up.0));
        write!(
            svg,
            r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">{across}</text><text transform="translate(14 {:.1}) rotate(-90)" text-anchor="middle">{up}</text>"#,
            f64::midpoint(LEFT, right),
            HEIGHT - 6.0,
            f64::midpoint(TOP, bottom)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: Vec<(f64, f64)>) -> String {
        let line = Line { name: "<a & b>".to_owned(), points };
        let up = ("up", Scale::Logarithmic);
        Plot { title: "t", across: ("across", Scale::Nines), up, lines: vec![line] }.draw()
    }

    /// Protects readers of reports: points stand where they belong, and what has no place on an axis is left out
    /// and breaks nothing.
    #[test]
    fn points_are_drawn_in_their_order_and_names_are_text() {
        let svg = plot(vec![(0.0, 10.0), (0.9, 100.0), (0.99, 1000.0), (1.0, 1000.0)]);
        let points = svg.split_once("points=\"").unwrap().1.split_once('"').unwrap().0;
        let points: Vec<(f64, f64)> = points
            .split(' ')
            .map(|point| point.split_once(',').unwrap())
            .map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()))
            .collect();
        assert_eq!(points.len(), 4);
        assert_eq!(points[0], (LEFT, HEIGHT - BOTTOM));
        assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 >= pair[1].1));
        assert_eq!(points[3], (WIDTH - RIGHT, TOP));
        assert!(svg.contains("&lt;a &amp; b&gt;") && !svg.contains("<a &"));
        assert!(svg.contains("99%"));
        for odd in [vec![], vec![(0.5, 0.0)], vec![(0.5, 1.0)], vec![(f64::NAN, 1.0)]] {
            assert!(!plot(odd).contains("NaN"));
        }
    }

    /// Protects axes from labels nobody can read.
    #[test]
    fn axes_have_round_labels() {
        let labels = |scale: Scale, low, high| {
            scale.ticks(low, high).into_iter().map(|(_, label)| label).collect::<Vec<_>>()
        };
        assert_eq!(labels(Scale::Linear, 0.0, 23.0), ["0", "5", "10", "15", "20"]);
        assert_eq!(labels(Scale::Logarithmic, 2.0, 4.0), ["100", "1k", "10k"]);
        assert_eq!(labels(Scale::Nines, 0.0, 3.0), ["0%", "90%", "99%", "99.9%"]);
    }
}
