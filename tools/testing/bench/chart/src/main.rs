// SPDX-License-Identifier: GPL-2.0
//! Draws what tools/testing/bench/bench has measured: a bar for each path, as long as the
//! ratio of ours to C's. Reads JSON from standard input, writes an SVG file.

use std::env;
use std::error::Error;
use std::io;
use std::process::ExitCode;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use serde::Deserialize;

// All checkouts build in one directory. With this, cargo takes nothing for this one's that was
// built in another one.
const _: Option<&str> = option_env!("MACVTAP_CHECKOUT");

#[derive(Deserialize)]
struct Results {
    kernel: String,
    commit: String,
    paths: Vec<Path>,
}

#[derive(Deserialize)]
struct Path {
    name: String,
    /// None where C has nothing to compare with.
    ratio: Option<f64>,
}

const WIDTH: u32 = 1200;
/// Of a bar, with the space around it.
const BAR: u32 = 18;
const HEADER: u32 = 60;
const FOOTER: u32 = 40;
const NAMES: i32 = 330;
const NUMBERS: i32 = 70;
/// The ratio where the chart ends; longer bars are cut off, and say so by their number.
const END: f64 = 1.25;

const BETTER: RGBColor = RGBColor(0x2a, 0x7a, 0x4b);
const WORSE: RGBColor = RGBColor(0xb0, 0x3a, 0x2e);
const GRID: RGBColor = RGBColor(0xcc, 0xcc, 0xcc);

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn main() -> ExitCode {
    let Some(path) = env::args().nth(1) else {
        eprintln!("usage: macvtap-bench-chart FILE.svg <RESULTS.json");
        return ExitCode::FAILURE;
    };
    match draw(&path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn draw(file: &str) -> Result<(), Box<dyn Error>> {
    let results: Results = serde_json::from_reader(io::stdin())?;
    let bars: Vec<_> = results
        .paths
        .iter()
        .filter_map(|path| Some((path.name.as_str(), path.ratio?)))
        .collect();
    let height = HEADER + FOOTER + BAR * bars.len() as u32;
    let canvas = SVGBackend::new(file, (WIDTH, height)).into_drawing_area();
    canvas.fill(&WHITE)?;
    let title = format!(
        "Ours : C, of instructions and memory. {}, {}",
        results.kernel, results.commit
    );
    canvas.draw(&Text::new(title, (10, 10), ("sans-serif", 18)))?;
    grid(&canvas, height as i32)?;
    for (number, (name, ratio)) in bars.into_iter().enumerate() {
        bar(&canvas, (HEADER + BAR * number as u32) as i32, name, ratio)?;
    }
    canvas.present()?;
    Ok(())
}

/// Where a ratio is.
fn place(ratio: f64) -> i32 {
    let width = f64::from(WIDTH as i32 - NAMES - NUMBERS);
    NAMES + (ratio.clamp(0.0, END) / END * width).round() as i32
}

fn grid(canvas: &Canvas<'_>, height: i32) -> Result<(), Box<dyn Error>> {
    let bottom = height - FOOTER as i32;
    let style = TextStyle::from(("sans-serif", 12)).pos(Pos::new(HPos::Center, VPos::Top));
    for tenth in (0..=12).step_by(2) {
        let ratio = f64::from(tenth) / 10.0;
        let at = place(ratio);
        let line = [(at, HEADER as i32 - 5), (at, bottom)];
        canvas.draw(&PathElement::new(
            line,
            if tenth == 10 { BLACK } else { GRID },
        ))?;
        canvas.draw(&Text::new(
            format!("{ratio:.1}"),
            (at, bottom + 5),
            style.clone(),
        ))?;
    }
    Ok(())
}

fn bar(canvas: &Canvas<'_>, top: i32, name: &str, ratio: f64) -> Result<(), Box<dyn Error>> {
    let middle = top + BAR as i32 / 2;
    let color = if ratio > 1.0 { WORSE } else { BETTER };
    let style = TextStyle::from(("sans-serif", 12));
    let left = style.clone().pos(Pos::new(HPos::Right, VPos::Center));
    let right = style.pos(Pos::new(HPos::Left, VPos::Center));
    let body = [(place(0.0), top + 3), (place(ratio), top + BAR as i32 - 3)];
    canvas.draw(&Text::new(name.to_owned(), (NAMES - 8, middle), left))?;
    canvas.draw(&Rectangle::new(body, color.filled()))?;
    canvas.draw(&Text::new(
        format!("{ratio:.3}"),
        (place(ratio) + 6, middle),
        right,
    ))?;
    Ok(())
}
