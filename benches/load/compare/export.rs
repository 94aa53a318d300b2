//! Writes the sites and the tiles for those that do not speak Rust: `sites.csv`, `sites.resp` and `tiles.csv`.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context, Result};
use waymark::model::site::Status;

use super::others::KEY;
use super::{ZOOMS, plan, tiles_of};
use crate::wire::resp;

/// Writes all three files into the directory of the first argument.
pub(crate) fn write(arguments: &[String]) -> Result<()> {
    let directory = Path::new(arguments.first().context("say into which directory")?);
    fs::create_dir_all(directory)?;
    let create = |name: &str| Ok::<_, std::io::Error>(BufWriter::new(File::create(directory.join(name))?));
    let (mut table, mut commands, mut tiles) = (create("sites.csv")?, create("sites.resp")?, create("tiles.csv")?);
    let plan = plan();
    for number in 0..plan.len() {
        let site = plan.site(number);
        let (lng, lat) = (site.position.lng().to_string(), site.position.lat().to_string());
        let status = u8::from(site.status == Status::Online);
        writeln!(table, "{},{},{status},{lng},{lat}", site.id, site.name)?;
        commands.write_all(resp::encode(&["GEOADD", KEY, &lng, &lat, &site.id.to_string()]).as_bytes())?;
    }
    for (_, tile) in ZOOMS.iter().flat_map(|zoom| tiles_of(&plan, *zoom)) {
        writeln!(tiles, "{},{},{}", tile.z(), tile.x(), tile.y())?;
    }
    for mut file in [table, commands, tiles] {
        file.flush()?;
    }
    Ok(())
}
