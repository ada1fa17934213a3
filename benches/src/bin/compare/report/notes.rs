//! What people wrote about the figures. It is kept beside the program, so that no run overwrites it.

/// Sections by the heading of the page that they belong under.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes(Vec<(String, String)>);

impl Notes {
    /// `## Heading` begins a section; what stands before the first is for who edits the file.
    pub(super) fn parse(text: &str) -> Self {
        let mut sections: Vec<(String, String)> = Vec::new();
        for line in text.lines() {
            if let Some(heading) = line.strip_prefix("## ") {
                sections.push((heading.trim().to_owned(), String::new()));
            } else if let Some((_, body)) = sections.last_mut() {
                body.push_str(line);
                body.push('\n');
            }
        }
        Self(sections)
    }

    /// What belongs under `heading`.
    pub(super) fn take(&mut self, heading: &str) -> Option<String> {
        let place = self.0.iter().position(|(key, _)| key == heading)?;
        Some(self.0.remove(place).1.trim().to_owned())
    }

    /// What belongs under none of `headings`, each with its own.
    pub(super) fn take_others(&mut self, headings: &[&str]) -> Vec<(String, String)> {
        let is_other = |(key, _): &mut (String, String)| !headings.contains(&key.as_str());
        let others = self.0.extract_if(.., is_other);
        others
            .map(|(heading, body)| (heading, body.trim().to_owned()))
            .collect()
    }
}
