//! The table of the paper: one row for each combination of stages, with accuracy, size and what the index costs.
//!
//! Here are its figures, as JSON and as text; what they are measured on is the caller's.

use std::fmt;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, CellAlignment, Row as Line, Table};
use serde::{Deserialize, Serialize};

/// A combination of stages: a row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// The float network.
    #[serde(rename = "baseline")]
    Baseline,
    /// Pruned.
    #[serde(rename = "SP")]
    Pruned,
    /// Grouped, without pruning.
    #[serde(rename = "SG")]
    Grouped,
    /// Quantized, without pruning.
    #[serde(rename = "SQ")]
    Quantized,
    /// Pruned and grouped.
    #[serde(rename = "SP+SG")]
    PrunedGrouped,
    /// Pruned and quantized.
    #[serde(rename = "SP+SQ")]
    PrunedQuantized,
    /// All three.
    #[serde(rename = "SP+SG+SQ")]
    All,
}

impl Stage {
    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Pruned => "SP",
            Self::Grouped => "SG",
            Self::Quantized => "SQ",
            Self::PrunedGrouped => "SP+SG",
            Self::PrunedQuantized => "SP+SQ",
            Self::All => "SP+SG+SQ",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How much top-1 is lost against the baseline, measured on the same images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// Baseline minus row, in points (percent of the images).
    pub points: f64,
    /// 95% interval of the paired difference, in points.
    pub interval: [f64; 2],
}

/// What a row was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effort {
    /// Nothing was changed.
    None,
    /// Forward passes over calibration images alone.
    Calibration,
    /// Back-propagation as well.
    Retrained,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Which stages.
    pub stage: Stage,
    /// Top-1 accuracy in percent; of the integer network once quantized.
    pub top1: f64,
    /// Top-5 accuracy in percent.
    pub top5: f64,
    /// Against the baseline; `None` for the baseline itself.
    pub loss_of_top1: Option<Loss>,
    /// Percent of the images whose highest score is that of the baseline; `None` for the baseline itself.
    #[serde(default)]
    pub agreement: Option<f64>,
    /// Mean Kullback-Leibler divergence of the scores from the baseline's, in nats.
    #[serde(default)]
    pub divergence: Option<f64>,
    /// Bytes of the `.syn` file, or of the float parameters for the baseline.
    pub size_bytes: u64,
    /// How many times smaller than the baseline.
    pub ratio: f64,
    /// Share of the weights that are zero, in percent.
    pub sparsity: f64,
    /// Index width in bits, mean over layers as the paper has it; `None` where nothing is grouped.
    pub index_bits_mean: Option<f64>,
    /// Index width in bits, mean over weights.
    pub index_bits_weighted: Option<f64>,
    /// What it was made with.
    pub effort: Effort,
    /// Seconds that the row's stages took, those that it shares with other rows included.
    pub seconds: f64,
    /// What became of each layer; empty for the baseline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerRow>,
}

/// What became of one layer in a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerRow {
    /// Its name.
    pub name: String,
    /// Number of its weights.
    pub weights: u64,
    /// Share of them that is zero, in percent.
    pub sparsity: f64,
    /// Index width in bits; absent where it is not grouped.
    pub index_bits: Option<u8>,
    /// Bit width of a weight as it is computed with: 32 in floating point.
    pub weight_bits: u8,
    /// Bits a weight of the file for indices or codes, for the codebook and for the bias.
    pub bits: [f64; 3],
    /// Squared error of its outputs on calibration images, relative to their deviation in the float network; what lies
    /// before the layer is compressed as well. Layer outputs are not rounded.
    pub error: Option<f64>,
}

/// A row of the paper, as far as it gives figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paper {
    /// Which stages.
    pub stage: Stage,
    /// Points of top-1 lost.
    pub loss_of_top1: Option<f64>,
    /// How many times smaller.
    pub ratio: Option<f64>,
    /// Share of the weights that are zero, in percent.
    pub sparsity: Option<f64>,
    /// Index width in bits, mean over layers.
    pub index_bits: Option<f64>,
}

/// The table and what it is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The network.
    pub network: String,
    /// The recipe.
    pub recipe: String,
    /// Images of calibration and retraining.
    pub calibration_images: usize,
    /// Images that accuracy was measured on.
    pub images: usize,
    /// The rows, the baseline first.
    pub rows: Vec<Row>,
    /// Rows of the paper to stand beside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paper: Vec<Paper>,
}

impl Report {
    /// The paper's row for a row of ours: of the same stages, and of the nearest sparsity where the paper has several.
    pub fn paper_for(&self, row: &Row) -> Option<&Paper> {
        let away = |p: &Paper| p.sparsity.map_or(0.0, |s| (s - row.sparsity).abs());
        self.paper.iter().filter(|p| p.stage == row.stage).min_by(|a, b| away(a).total_cmp(&away(b)))
    }

    /// As JSON, indented.
    pub fn to_json(&self) -> String {
        // Nothing in it can fail: all keys are strings.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

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

    fn report() -> Report {
        let row = |stage, sparsity, bits: Option<f64>| Row {
            stage,
            top1: 75.0,
            top5: 92.2,
            loss_of_top1: (stage != Stage::Baseline).then_some(Loss { points: 2.2, interval: [0.4, 4.0] }),
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
            loss_of_top1: Some(loss),
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
