//! The table as text.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, CellAlignment, Row as Line, Table};

use super::{Effort, Report};

impl Report {
    /// As text, with columns of the paper's figures when there are any.
    pub fn to_table(&self) -> String {
        let beside = !self.paper.is_empty();
        let grouped = self.rows.iter().any(|r| r.index_bits_mean.is_some());
        let mut header = vec!["stages", "top-1 %", "top-5 %", "loss of top-1 (95%)"];
        if beside {
            header.push("paper's loss");
        }
        header.extend(["agrees %", "KL", "size", "ratio", "zeros %"]);
        if grouped {
            header.extend(["index bits", "by weight"]);
        }
        header.extend(["made with", "time"]);
        let mut table = Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY).set_header(header);
        for row in &self.rows {
            let paper = self.paper_for(row);
            let mut cells = vec![row.stage.to_string(), format!("{:.2}", row.top1), format!("{:.2}", row.top5)];
            cells.push(
                row.loss_of_top1.map_or(String::new(), |l| {
                    format!("{:.2} ({:.2} to {:.2})", l.points, l.interval[0], l.interval[1])
                }),
            );
            if beside {
                cells.push(figure(paper.and_then(|p| p.loss_of_top1)));
            }
            cells.push(figure(row.agreement));
            cells.push(row.divergence.map_or(String::new(), |d| format!("{d:.3}")));
            cells.push(bytes(row.size_bytes));
            cells.push(format!("{:.2}x", row.ratio));
            cells.push(format!("{:.2}", row.sparsity));
            if grouped {
                let theirs = paper.and_then(|p| p.index_bits).map_or(String::new(), |b| format!(" (paper {b})"));
                cells.push(figure(row.index_bits_mean) + &theirs);
                cells.push(figure(row.index_bits_weighted));
            }
            cells.push(effort(row.effort).to_owned());
            cells.push(duration(row.seconds));
            let mut line = Line::new();
            for (i, cell) in cells.into_iter().enumerate() {
                line.add_cell(Cell::new(cell).set_alignment(if i == 0 {
                    CellAlignment::Left
                } else {
                    CellAlignment::Right
                }));
            }
            table.add_row(line);
        }
        table.to_string()
    }
}

fn figure(value: Option<f64>) -> String {
    value.map_or(String::new(), |v| format!("{v:.2}"))
}

fn effort(effort: Effort) -> &'static str {
    match effort {
        Effort::None => "",
        Effort::Calibration => "calibration",
        Effort::Retrained => "retraining",
    }
}

fn bytes(n: u64) -> String {
    match n {
        0..10_000 => format!("{n} B"),
        10_000..1_000_000 => format!("{:.1} kB", n as f64 / 1e3),
        _ => format!("{:.2} MB", n as f64 / 1e6),
    }
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 0.05 => String::new(),
        s if s < 100.0 => format!("{s:.1} s"),
        s => format!("{:.1} min", s / 60.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Loss, Paper, Row, Stage};

    fn report() -> Report {
        let row = |stage, sparsity, bits: Option<f64>| Row {
            stage,
            top1: 75.0,
            top5: 92.2,
            top1_interval: None,
            top5_interval: None,
            loss_of_top1: (stage != Stage::Baseline).then_some(Loss { points: 2.2, interval: [0.4, 4.0] }),
            loss_of_top5: None,
            agreement: (stage != Stage::Baseline).then_some(91.2),
            divergence: (stage != Stage::Baseline).then_some(0.0512),
            size_bytes: 2_345_678,
            ratio: 11.93,
            sparsity,
            index_bits_mean: bits,
            index_bits_weighted: bits,
            effort: Effort::Retrained,
            seconds: 312.0,
            layers: Vec::new(),
        };
        let paper = |stage, sparsity, loss| Paper {
            stage,
            top1: None,
            top5: None,
            loss_of_top1: Some(loss),
            loss_of_top5: None,
            ratio: None,
            sparsity: Some(sparsity),
            index_bits: (stage == Stage::PrunedGrouped).then_some(7.28),
        };
        Report {
            network: "net".into(),
            recipe: "test".into(),
            calibration_images: 1000,
            images: 500,
            rows: vec![
                row(Stage::Baseline, 0.0, None),
                row(Stage::Pruned, 75.4, None),
                row(Stage::Pruned, 91.6, None),
                row(Stage::PrunedGrouped, 91.6, Some(7.125)),
            ],
            paper: vec![
                paper(Stage::Pruned, 75.4, 0.51),
                paper(Stage::Pruned, 91.61, 2.4),
                paper(Stage::PrunedGrouped, 91.61, 3.79),
            ],
            ..Report::default()
        }
    }

    #[test]
    fn the_paper_stands_beside_the_row_of_its_sparsity() {
        let text = report().to_table();
        let lines: Vec<&str> = text.lines().filter(|l| l.contains("75.00")).collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(!lines[0].contains(" 2.20"));
        assert!(lines[1].contains("0.51") && lines[2].contains("2.40"), "{text}");
        assert!(lines[3].contains("3.79") && lines[3].contains("(paper 7.28)") && lines[3].contains("2.35 MB"));
        assert!(lines[1].contains("2.20 (0.40 to 4.00)") && lines[1].contains("5.2 min"));
        let alone = Report { paper: Vec::new(), ..report() };
        assert!(!alone.to_table().contains("paper"));
    }

    #[test]
    fn json_holds_the_same_and_comes_back() {
        let json = report().to_json();
        assert!(json.contains("\"SP+SG\"") && json.contains("\"index_bits_weighted\": 7.125"), "{json}");
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report());
    }
}
