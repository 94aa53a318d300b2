//! Does a call cost more where there are more sites: the same calls on the smallest and the largest set, in turn.

use anyhow::Result;

use crate::calls::Caller;
use crate::closed_loop::{Loop, alternate};
use crate::data::queries::Queries;
use crate::data::{Plan, Shape};
use crate::measure::{Figure, Sheet};
use crate::server::Server;
use crate::wire::Target;
use crate::{QUERIES, fill, searchable};

/// Serves both sets at once, so that both meet the same machine.
pub(crate) async fn measure(small: usize, large: usize) -> Result<()> {
    let (small, large) = (side(small).await?, side(large).await?);
    let mut sheet = Sheet::new("growth", Shape::One.name(), large.sites, 1);
    let calls: [(&str, &str); 3] = [("tiles", "HTTP/1.1"), ("world", "gRPC"), ("city", "gRPC")];
    for (what, protocol) in calls {
        let loops = vec![small.open(what).await?, large.open(what).await?];
        let figures = alternate(loops, None).await?;
        let times: Vec<f64> = figures[0].runs.iter().zip(&figures[1].runs).map(|(few, many)| few / many).collect();
        let name = format!("{protocol} {what}: {} sites over {}", large.sites, small.sites);
        let note = "time of a request with many sites, divided by that with few; each pair side by side";
        sheet.add(Figure::of(name, "×", times).with_note(note));
        for figure in figures {
            sheet.add(figure);
        }
    }
    sheet.write()?;
    large.server.end()?;
    small.server.end()
}

struct Side {
    sites: usize,
    filled: fill::Filled,
    server: Server,
    queries: Queries,
}

async fn side(sites: usize) -> Result<Side> {
    let plan = Plan::new(Shape::One, sites);
    let filled = fill::directory(Shape::One, &plan).await?;
    let queries = Queries::of_places(&plan, QUERIES, 3);
    let server = Server::start(&filled.path)?;
    searchable::wait(&server, &filled).await?;
    Ok(Side { sites, filled, server, queries })
}

impl Side {
    async fn open(&self, what: &str) -> Result<Loop> {
        let address = self.server.address;
        let caller = Caller { address, filled: &self.filled };
        let name = format!("{what}, {} sites", self.sites);
        match what {
            "tiles" => Loop::open(name, &Target::Http1(address), caller.tiles_http1(&self.queries.tiles, "")).await,
            "world" => Loop::open(name, &Target::Http2(address), caller.worlds(&self.queries.spots)?).await,
            _ => Loop::open(name, &Target::Http2(address), caller.cities(&self.queries.cities)?).await,
        }
    }
}
