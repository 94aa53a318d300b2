//! The map in this process beside npm's supercluster in Node.js, one thread each, tile by tile to its bytes.

use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use waymark::spatial::mercator::TileId;
use waymark::spatial::{AccountMap, mvt};

use super::{Others, ZOOMS, by, tiles_of};
use crate::data::Plan;
use crate::data::queries::In;
use crate::measure::{Figure, Sheet, settings};

/// The script, which makes tiles for so long as it is told, line by line.
#[derive(Debug)]
struct Script {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// Measures both, or the map alone where the other is missing.
pub(super) fn measure(sheet: &mut Sheet, others: &Others, plan: &Plan, maps: &[AccountMap]) -> Result<()> {
    let mut script = others.supercluster.as_ref().map(|_| Script::start(others)).transpose()?;
    if script.is_none() {
        let note = "not measured: it was not there";
        sheet.add(Figure::of(by("all", "supercluster in process"), "/s", Vec::new()).with_note(note));
    }
    let mixed = ZOOMS.iter().flat_map(|zoom| tiles_of(plan, *zoom)).collect::<Vec<_>>();
    for zoom in ZOOMS {
        let tiles: Vec<_> = mixed.iter().copied().filter(|(_, tile)| tile.z() == zoom).collect();
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..settings::rounds() {
            ours.push(round(maps, &tiles));
            if let Some(script) = &mut script {
                theirs.push(script.round(zoom)?);
            }
        }
        let what = format!("tile z{zoom}");
        let ours = Figure::of(by(&what, "waymark in process"), "/s", ours);
        let theirs = Figure::of(by(&what, "supercluster in process"), "/s", theirs).against(&ours);
        sheet.add(ours);
        if script.is_some() {
            sheet.add(theirs);
        }
    }
    script.map_or(Ok(()), Script::end)
}

/// Tiles a second.
fn round(maps: &[AccountMap], tiles: &[In<TileId>]) -> f64 {
    let (start, slice) = (Instant::now(), settings::slice());
    let mut made: u32 = 0;
    for (account, tile) in tiles.iter().cycle() {
        black_box(mvt::encode(&maps[*account].all().tile(*tile).unwrap(), *tile));
        made += 1;
        if start.elapsed() >= slice {
            break;
        }
    }
    f64::from(made) / start.elapsed().as_secs_f64()
}

impl Script {
    fn start(others: &Others) -> Result<Self> {
        let directory = others.supercluster.as_ref().context("a directory")?;
        let mut child = Command::new("node")
            .arg("--max-old-space-size=8192")
            .arg(directory.join("supercluster.mjs"))
            .args([others.exported.join("sites.csv"), others.exported.join("tiles.csv")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("node does not start")?;
        let input = child.stdin.take().context("its input is piped")?;
        let output = BufReader::new(child.stdout.take().context("its output is piped")?);
        let mut script = Self { child, input, output };
        let ready = script.line()?;
        ensure!(ready.starts_with("ready"), "the script said {ready:?}");
        println!("supercluster: {}", ready.trim());
        Ok(script)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line)
    }

    /// Tiles a second.
    fn round(&mut self, zoom: u8) -> Result<f64> {
        writeln!(self.input, "{zoom} {}", settings::slice().as_millis())?;
        let line = self.line()?;
        line.trim().parse().with_context(|| format!("the script said {line:?}"))
    }

    fn end(mut self) -> Result<()> {
        drop(self.input);
        ensure!(self.child.wait()?.success(), "the script failed");
        Ok(())
    }
}
