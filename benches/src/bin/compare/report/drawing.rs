//! A chart as SVG, for pages that are light or dark.

use svg::Document;
use svg::node::element::{Definitions, Group, Line, Pattern, Rectangle, Text, Title};

use super::chart::{Band, Bar, Chart, Panel};
use super::contestants::{Part, part};

const WIDTH: f64 = 1000.0;
const MARGIN: f64 = 20.0;
/// For the contestants' names.
const NAMES: f64 = 196.0;
const GAP: f64 = 22.0;
/// A panel that is alone need not be wider.
const WIDEST_PANEL: f64 = 380.0;
/// What a bar leaves to its figure.
const FIGURE: f64 = 62.0;
const TITLE: f64 = 48.0;
const PANEL_TITLE: f64 = 46.0;
const ROW: f64 = 21.0;
const BAR: f64 = 14.0;
const BAND_END: f64 = 20.0;

const FONT: &str =
    "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif";
const INK: &str = "#1f2328";
const FAINT_INK: &str = "#656d76";
const RULE: &str = "#d0d7de";
const OURS: &str = "#c92a2a";
const PEERS: &str = "#a9bccf";
const HATCH: &str = "hatch";

pub(super) fn svg(chart: &Chart) -> String {
    let height = TITLE + chart.bands.iter().map(band_height).sum::<f64>();
    let mut document = Document::new()
        .set("viewBox", (0, 0, WIDTH, height))
        .set("width", WIDTH)
        .set("height", height)
        .set("role", "img")
        .set("font-family", FONT)
        .set("font-size", 12)
        .add(Title::new(chart.title.clone()))
        .add(hatch())
        .add(background(height))
        .add(
            text(&chart.title, MARGIN, 31.0)
                .set("font-size", 17)
                .set("font-weight", 600),
        );
    let mut top = TITLE;
    for band in &chart.bands {
        document = document.add(draw_band(band, top, panel_width(chart)));
        top += band_height(band);
    }
    format!("{document}\n")
}

fn band_height(band: &Band) -> f64 {
    PANEL_TITLE + band.rows.len() as f64 * ROW + BAND_END
}

/// The same in all bands, so that panels stand one under the other.
fn panel_width(chart: &Chart) -> f64 {
    let panels = chart
        .bands
        .iter()
        .map(|band| band.panels.len())
        .max()
        .unwrap_or(1) as f64;
    let width = WIDTH - 2.0 * MARGIN - NAMES;
    ((width - GAP * (panels - 1.0)) / panels).min(WIDEST_PANEL)
}

fn draw_band(band: &Band, top: f64, width: f64) -> Group {
    let mut group = Group::new();
    let first_row = top + PANEL_TITLE;
    let end = first_row + band.rows.len() as f64 * ROW;
    let middle = |row: usize| first_row + (row as f64 + 0.5) * ROW;
    for (row, name) in band.rows.iter().enumerate() {
        let label = text(name, MARGIN + NAMES - 10.0, middle(row) + 4.0).set("text-anchor", "end");
        group = group.add(match part(name) {
            Part::Ours => label.set("font-weight", 700).set("fill", OURS),
            _ => label,
        });
    }
    let mut left = MARGIN + NAMES;
    for panel in &band.panels {
        group = group
            .add(
                text(&panel.title, left, top + 16.0)
                    .set("font-weight", 600)
                    .set("font-size", 13),
            )
            .add(
                text(&panel.measure, left, top + 32.0)
                    .set("fill", FAINT_INK)
                    .set("font-size", 11),
            )
            .add(line((left, first_row), (left, end), RULE));
        for (row, name) in band.rows.iter().enumerate() {
            let mut bars = panel.bars.iter();
            group = match bars.find(|bar| bar.contestant == *name) {
                Some(bar) => group.add(draw_bar(bar, panel, left, middle(row), width)),
                None => group.add(text("–", left + 5.0, middle(row) + 4.0).set("fill", FAINT_INK)),
            };
        }
        left += width + GAP;
    }
    group
}

fn draw_bar(bar: &Bar, panel: &Panel, left: f64, middle: f64, width: f64) -> Group {
    let most = panel
        .bars
        .iter()
        .map(|bar| bar.spread.most)
        .fold(0.0, f64::max);
    let at = |value: f64| {
        round(
            if most > 0.0 {
                (width - FIGURE) * value / most
            } else {
                0.0
            } + left,
        )
    };
    let [least, median, most] = [bar.spread.least, bar.spread.median, bar.spread.most].map(at);
    let fill = match bar.part {
        Part::Ours => OURS.to_owned(),
        Part::Peer => PEERS.to_owned(),
        Part::Limit => format!("url(#{HATCH})"),
    };
    let rectangle = Rectangle::new()
        .set("x", left)
        .set("y", middle - BAR / 2.0)
        .set("width", round(median - left))
        .set("height", BAR)
        .set("fill", fill);
    let figure = text(&bar.label, most + 6.0, middle + 4.0);
    let mut group = Group::new().add(match bar.part {
        Part::Limit => rectangle.set("stroke", FAINT_INK).set("stroke-width", 0.6),
        _ => rectangle,
    });
    if most - least > 1.0 {
        group = group.add(line((least, middle), (most, middle), INK));
        for end in [least, most] {
            group = group.add(line((end, middle - 3.0), (end, middle + 3.0), INK));
        }
    }
    group.add(if bar.part == Part::Ours {
        figure.set("font-weight", 700)
    } else {
        figure
    })
}

fn background(height: f64) -> Rectangle {
    Rectangle::new()
        .set("x", 0.5)
        .set("y", 0.5)
        .set("width", WIDTH - 1.0)
        .set("height", height - 1.0)
        .set("rx", 6)
        .set("fill", "#ffffff")
        .set("stroke", RULE)
}

/// For what is no client.
fn hatch() -> Definitions {
    let stroke = line((0.0, 0.0), (0.0, 6.0), FAINT_INK).set("stroke-width", 2.4);
    let pattern = Pattern::new()
        .set("id", HATCH)
        .set("width", 6)
        .set("height", 6)
        .set("patternUnits", "userSpaceOnUse")
        .set("patternTransform", "rotate(45)")
        .add(stroke);
    Definitions::new().add(pattern)
}

fn text(content: &str, x: f64, y: f64) -> Text {
    Text::new(content)
        .set("x", round(x))
        .set("y", round(y))
        .set("fill", INK)
}

fn line(from: (f64, f64), to: (f64, f64), colour: &str) -> Line {
    Line::new()
        .set("x1", round(from.0))
        .set("y1", round(from.1))
        .set("x2", round(to.0))
        .set("y2", round(to.1))
        .set("stroke", colour)
}

/// So that files do not differ by what nobody sees.
fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
