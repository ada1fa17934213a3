//! Tables in Markdown.

pub(super) enum Align {
    Left,
    Right,
}

pub(super) fn table<C: AsRef<str>>(header: &[(C, Align)], rows: &[Vec<String>]) -> String {
    let titles: Vec<_> = header
        .iter()
        .map(|(title, _)| title.as_ref().to_owned())
        .collect();
    let alignments = header.iter().map(|(_, align)| match align {
        Align::Left => "---".to_owned(),
        Align::Right => "---:".to_owned(),
    });
    let alignments: Vec<_> = alignments.collect();
    let rows = rows.iter().map(|row| line(row));
    [line(&titles), line(&alignments)]
        .into_iter()
        .chain(rows)
        .collect()
}

fn line(cells: &[String]) -> String {
    // A cell is one line, and ends at a bar.
    let cell = |cell: &String| cell.replace(['\r', '\n'], " ").replace('|', "\\|");
    let cells: Vec<_> = cells.iter().map(cell).collect();
    format!("| {} |\n", cells.join(" | "))
}
