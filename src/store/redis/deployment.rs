//! Before anything is served: whether this Redis keeps what it acknowledges, and whether its data is ours. The first is asked again
//! while it is served, by [`super::safety`].

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{ErrorKind, RedisError, RedisResult, cmd};
use tracing::warn;

use super::super::{Error, faults};
use super::config::{Address, Mode, Settings};
use super::keys::{self, Names};
use super::node::Nodes;
use super::trouble::{PLACE, Trouble};

/// How keys and values are laid out; another number is another waymark's.
pub(super) const FORMAT: &str = "1";
/// The format of a deployment that a migration did not finish: no waymark serves it, those that know nothing of migrations
/// neither.
pub(super) const UNFINISHED: &str = "unfinished migration";
/// The field of the deployment that says that all its partitions were made.
const BEGUN: &str = "begun";
/// The first Redis with scripts that refuse before they write.
const MAJOR_MIN: u32 = 7;
/// What a master is called in what is told of it.
const MASTER: &str = "this Redis";
/// What a replica is called in what callers are told of it.
const REPLICA: &str = "a replica of this Redis";

/// What a look at the nodes found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What may lose what was acknowledged.
    pub(super) dangers: Vec<Danger>,
    /// What is told, and keeps nothing from being written.
    pub(super) remarks: Vec<String>,
}

impl Found {
    /// Takes a remark in, once for all nodes that it is made of.
    fn remark(&mut self, remark: Option<String>) {
        self.remarks.extend(remark.filter(|remark| !self.remarks.contains(remark)));
    }
}

/// What may lose what was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Danger {
    /// For the operator: with the address of the node.
    pub(super) named: String,
    /// For callers: without it.
    pub(super) told: String,
}

impl Danger {
    /// One of a node, which is called `name`, and `kind` where its address is nobody's to know.
    fn of(name: &str, kind: &str, danger: &str) -> Self {
        let of = |node: &str| format!("{node} may lose what it acknowledged: {danger}");
        Self { named: of(name), told: of(kind) }
    }

    fn of_master(danger: &str) -> Self {
        Self::of(MASTER, MASTER, danger)
    }
}

/// Refuses a Redis that may lose what it acknowledged, unless the configuration allows that: any master, and any replica that
/// is made a master when one fails.
pub(super) async fn check_safety(nodes: &Nodes) -> Result<(), Error> {
    let told = |cause| Trouble::of_read(&cause);
    let (settings, mut found, mut alone) = (&nodes.settings, Found::default(), Vec::new());
    for mut master in nodes.masters().await.map_err(told)? {
        look_at(nodes, &mut master, &mut found).await.map_err(told)?;
        // Afterwards each write asks.
        let few = too_few_replicas(settings, &mut master).await.map_err(told)?;
        alone.extend(few.map(|few| Danger::of_master(&few)));
    }
    if let Some(danger) = found.dangers.iter().chain(&alone).next().filter(|_| !settings.allow_data_loss) {
        return Err(Error::Configuration { cause: format!("{}; or set redis.allow_data_loss = true", danger.named) });
    }
    alone.iter().for_each(|danger| warn!("{}", danger.named));
    nodes.safety.take(found);
    Ok(())
}

/// Looks at all masters, and at the replicas that they name.
pub(super) async fn look(nodes: &Nodes) -> RedisResult<Found> {
    let mut found = Found::default();
    for mut master in nodes.masters().await? {
        look_at(nodes, &mut master, &mut found).await?;
    }
    Ok(found)
}

async fn look_at(nodes: &Nodes, master: &mut MultiplexedConnection, found: &mut Found) -> RedisResult<()> {
    found.dangers.extend(look_at_master(master).await?);
    found.remark(takes_torn(MASTER, master).await?);
    for replica in nodes.named_by(master).await? {
        look_at_replica(nodes, &replica, found).await;
    }
    Ok(())
}

/// The same of a replica. One that cannot be asked now is told only: it may be on its way back.
async fn look_at_replica(nodes: &Nodes, (host, port): &Address, found: &mut Found) {
    let look = async {
        let mut there = nodes.open_replica(&(host.clone(), *port)).await?;
        let is_chosen = is_ever_master(nodes.settings.mode, &mut there).await?;
        Ok::<_, RedisError>((dangers(&mut there).await?, is_chosen, takes_torn(REPLICA, &mut there).await?))
    };
    let name = format!("the replica {host}:{port} of this Redis");
    match look.await {
        Ok((dangers, is_chosen, torn)) => {
            found.remark(torn);
            if is_chosen {
                found.dangers.extend(dangers.iter().map(|danger| Danger::of(&name, REPLICA, danger)));
            } else {
                let would = format!("{name} would lose what was acknowledged, if it were made master");
                found.remarks.extend(dangers.iter().map(|danger| format!("{would}: {danger}")));
            }
        }
        Err(cause) => {
            found.remarks.push(format!("{name} cannot be asked whether it keeps what was acknowledged: {cause}"));
        }
    }
}

/// What is to be told of a node that starts on a file whose end a kill tore, which is no danger to what was acknowledged.
async fn takes_torn(kind: &str, connection: &mut MultiplexedConnection) -> RedisResult<Option<String>> {
    let takes = setting(connection, "aof-load-truncated").await?.as_deref() == Some("yes");
    Ok(takes.then(|| {
        format!(
            "{kind} may bring half of a write to life that a kill tore: set aof-load-truncated no (docs/replicas.md)"
        )
    }))
}

/// Looks at the master behind a connection alone.
pub(super) async fn look_at_master(connection: &mut MultiplexedConnection) -> RedisResult<Vec<Danger>> {
    Ok(dangers(connection).await?.iter().map(|danger| Danger::of_master(danger)).collect())
}

/// Whether a replica is made master without a person who does it. One that does not tell is taken for one that is.
async fn is_ever_master(mode: Mode, replica: &mut MultiplexedConnection) -> RedisResult<bool> {
    let (name, never) = match mode {
        Mode::Single => return Ok(false),
        Mode::Sentinel => ("replica-priority", "0"),
        Mode::Cluster => ("cluster-replica-no-failover", "yes"),
    };
    Ok(setting(replica, name).await?.as_deref() != Some(never))
}

/// A setting of a node; `None` where it does not tell it to us. One that does not answer is an error: it may be on its way back.
async fn setting(connection: &mut MultiplexedConnection, name: &str) -> RedisResult<Option<String>> {
    let told: RedisResult<Vec<String>> = cmd("CONFIG").arg("GET").arg(name).query_async(connection).await;
    match told {
        Ok(told) => Ok(told.into_iter().nth(1)),
        Err(cause) if matches!(Trouble::of(&cause), Trouble::Refused(_)) => Ok(None),
        Err(cause) => Err(cause),
    }
}

/// What of a node's settings may lose what it acknowledged.
async fn dangers(connection: &mut MultiplexedConnection) -> RedisResult<Vec<String>> {
    let mut dangers = Vec::new();
    let server: String = cmd("INFO").arg("server").query_async(connection).await?;
    // Valkey, which went on from Redis 7.2, says so in a line of the same name.
    let version = server.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or_default();
    let major = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0_u32);
    if major < MAJOR_MIN {
        dangers.push(format!("it is version {version:?}, and scripts are safe from Redis {MAJOR_MIN} on"));
    }
    match setting(connection, "appendonly").await?.as_deref() {
        Some("yes") => {}
        Some(_) => dangers.push("it writes no append-only file: set appendonly yes".to_owned()),
        None => dangers.push("its configuration cannot be read: allow CONFIG GET to the user".to_owned()),
    }
    if setting(connection, "appendfsync").await?.as_deref() == Some("no") {
        dangers.push("it never syncs its append-only file: set appendfsync always, or everysec".to_owned());
    }
    let is_bounded = setting(connection, "maxmemory").await?.is_some_and(|bytes| bytes != "0");
    let policy = setting(connection, "maxmemory-policy").await?.unwrap_or_default();
    if is_bounded && policy.starts_with("allkeys-") {
        dangers.push(format!("it evicts records when memory is short ({policy}): set maxmemory-policy noeviction"));
    }
    Ok(dangers)
}

/// What is wrong where a master has fewer replicas than writes wait for.
async fn too_few_replicas(settings: &Settings, master: &mut MultiplexedConnection) -> RedisResult<Option<String>> {
    if settings.wait_replicas == 0 {
        return Ok(None);
    }
    let replication: String = cmd("INFO").arg("replication").query_async(master).await?;
    let there = replication.lines().find_map(|line| line.strip_prefix("connected_slaves:"));
    let there = there.and_then(|count| count.trim().parse().ok()).unwrap_or(0_u32);
    let wanted = settings.wait_replicas;
    Ok((there < wanted).then(|| format!("redis.wait_replicas is {wanted}, and it has {there} replicas")))
}

/// Whether each write is on the disk before it is answered. One that does not tell is taken for one that syncs later.
pub(super) async fn syncs_each_write(connection: &mut MultiplexedConnection) -> bool {
    matches!(setting(connection, "appendfsync").await, Ok(Some(told)) if told == "always")
}

/// A deployment that a replica takes part in.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) id: String,
    /// Whether all its partitions were made: one that is missing was lost.
    pub(super) has_begun: bool,
}

/// Takes part in the deployment of this prefix, or begins it, if `is_ours` agrees to the one that is there or to there being none.
pub(super) async fn join(
    settings: &Settings,
    new_id: &str,
    is_ours: impl FnOnce(Option<&str>) -> Result<(), Error>,
    connection: &mut impl ConnectionLike,
) -> Result<Joined, Error> {
    let key = Names::deployment(&settings.prefix);
    let told = |cause: RedisError| {
        let is_senseless = matches!(cause.kind(), ErrorKind::Parse | ErrorKind::UnexpectedReturnType);
        if is_senseless || matches!(Trouble::of(&cause), Trouble::Damaged(_)) {
            return faults::damaged(PLACE, format!("{key} does not hold what waymark keeps there: {cause}"));
        }
        Trouble::of_read(&cause)
    };
    let mut found = find(&key, connection).await.map_err(told)?;
    is_ours(found.0.as_deref())?;
    // A Redis that takes no writes just now is joined all the same.
    if found.0.is_none() {
        begin(settings, &key, new_id, connection).await.map_err(told)?;
        found = find(&key, connection).await.map_err(told)?;
    }
    let (id, format, partitions, begun) = found;
    check_format(&key, &format.unwrap_or_default())?;
    check_partitions(&key, &partitions.unwrap_or_default(), settings.partitions)?;
    Ok(Joined { id: id.unwrap_or_default(), has_begun: begun.is_some() })
}

/// Id, format, number of partitions, and whether they were made.
type Written = (Option<String>, Option<String>, Option<String>, Option<String>);

async fn find(key: &str, connection: &mut impl ConnectionLike) -> RedisResult<Written> {
    cmd("HMGET").arg(key).arg("id").arg("format").arg("partitions").arg(BEGUN).query_async(connection).await
}

/// Writes a deployment down. Of two that begin at once the first one does.
async fn begin(settings: &Settings, key: &str, id: &str, connection: &mut impl ConnectionLike) -> RedisResult<()> {
    let mut begin = redis::pipe();
    begin.atomic();
    for (field, value) in [("id", id), ("format", FORMAT), ("partitions", &settings.partitions.to_string())] {
        begin.cmd("HSETNX").arg(key).arg(field).arg(value).ignore();
    }
    begin.query_async(connection).await
}

/// Notes that all partitions were made.
pub(super) async fn note_begun(settings: &Settings, connection: &mut impl ConnectionLike) -> Result<(), Error> {
    let mut note = cmd("HSET");
    note.arg(Names::deployment(&settings.prefix)).arg(BEGUN).arg("1");
    note.query_async::<()>(connection).await.map_err(|cause| Trouble::of_read(&cause))
}

/// A partition that was made is not there: the other nodes of a cluster know nothing of that.
pub(super) fn gone(prefix: &str, head: &str) -> Error {
    let key = Names::deployment(prefix);
    let cause = format!(
        "{head} in Redis is gone with all accounts of its partition: restore that Redis; to go on without them, HDEL {key} {BEGUN}"
    );
    Error::Configuration { cause }
}

/// Refuses data that this waymark does not read.
pub(super) fn check_format(key: &str, format: &str) -> Result<(), Error> {
    let cause = match format {
        FORMAT => return Ok(()),
        UNFINISHED => format!(
            "{key} in Redis is of a migration that did not come to its end: run `waymark migrate` again, or choose another \
             redis.prefix"
        ),
        _ => format!(
            "{key} in Redis has format {format:?}, and this waymark reads {FORMAT:?}: run the waymark that wrote it"
        ),
    };
    Err(Error::Configuration { cause })
}

/// Refuses another number of partitions than the deployment began with.
pub(super) fn check_partitions(key: &str, found: &str, partitions: u16) -> Result<(), Error> {
    if found == partitions.to_string() {
        return Ok(());
    }
    let cause = format!(
        "{key} in Redis has {found} partitions, and redis.partitions is {partitions}: the number of a deployment never changes"
    );
    Err(Error::Configuration { cause })
}

/// The slot of the deployment's own key.
pub(super) fn slot(settings: &Settings) -> u16 {
    keys::slot(&Names::deployment(&settings.prefix))
}
