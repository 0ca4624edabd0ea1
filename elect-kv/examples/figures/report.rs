//! All figures of a run, as a table for people or as JSON.

use std::fmt;

use serde_json::{Value, json};

use super::figure::Figure;
use super::machine::Machine;

const HEADINGS: [&str; 6] = ["figure", "elect-kv", "beside", "ratio", "should be", "load"];

/// What a part has measured, or why it has not.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) part: &'static str,
    pub(crate) measured: Result<Vec<Figure>, String>,
}

#[derive(Debug)]
pub(crate) struct Report {
    machine: Machine,
    is_quick: bool,
    sections: Vec<Section>,
}

impl Report {
    pub(crate) fn new(machine: Machine, is_quick: bool) -> Self {
        Self { machine, is_quick, sections: Vec::new() }
    }

    pub(crate) fn add(&mut self, section: Section) {
        self.sections.push(section);
    }

    pub(crate) fn json(&self) -> Value {
        let sections = self.sections.iter().map(|section| {
            let value = match &section.measured {
                Ok(figures) => Value::Array(figures.iter().map(Figure::json).collect()),
                Err(why) => json!({ "not_measured": why }),
            };
            (section.part.to_owned(), value)
        });
        json!({
            "machine": self.machine.json(), "quick": self.is_quick,
            "parts": sections.collect::<serde_json::Map<_, _>>(),
        })
    }
}

/// A table in Markdown.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        if self.is_quick {
            writeln!(f, "\nA small form of each part: it shows that they work, and is no measurement.")?;
        }
        let mut rows = vec![HEADINGS.map(str::to_owned)];
        for section in &self.sections {
            match &section.measured {
                Ok(figures) => rows.extend(figures.iter().map(Figure::cells)),
                Err(why) => {
                    let mut row = [const { String::new() }; 6];
                    row[0] = format!("{}: not measured: {why}", section.part);
                    rows.push(row);
                }
            }
        }
        let widths: [usize; 6] =
            std::array::from_fn(|cell| rows.iter().map(|row| row[cell].chars().count()).max().unwrap_or(0));
        writeln!(f)?;
        for (index, row) in rows.iter().enumerate() {
            for (cell, width) in row.iter().zip(widths) {
                write!(f, "| {cell:<width$} ")?;
            }
            writeln!(f, "|")?;
            if index == 0 {
                widths.iter().try_for_each(|width| write!(f, "|{:-<1$}", "", width + 2))?;
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}
